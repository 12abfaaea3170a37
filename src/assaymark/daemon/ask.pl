# What an installed pre-commit hook runs where Debian's git has brought Perl, which starts in a fifth of the time that Python takes:
#
#     perl -f <this file> <python> -I -c <program> <arguments of the program>
#
# The client is `assaymark.hookclient`, in other words: the same request byte for byte, the same answer, the same program when no daemon
# takes the request. tests/daemon/test_daemon_perl.py compares the two, and every constant that stands in both. It loads no module, not even
# `strict` and `warnings`, which take as long as the rest. Linux alone, by numbers of its kernel (`triggers.perl` looks at them).
#
# It passes no standard input on: pre-commit is told nothing there, and git gives it /dev/null.

BEGIN { $^H |= 1 }    # `use integer` without its file: numbers that wrap at 64 bits

my $PROTOCOL = 'assay/1';
my ($ACCEPTED, $OUT, $ERR, $EXIT) = (0 .. 3);
my $PATIENCE = 2;
my $FAMILIES = 'ASSAYMARK_|GIT_|LC_|XDG_';
my $NAMES    = 'CI|CLICOLOR|CLICOLOR_FORCE|COLORTERM|COLUMNS|FORCE_COLOR|HOME|LANG|LANGUAGE|LINES|LOGNAME|NO_COLOR|PATH|TERM|TMPDIR|TZ|USER';

my ($python, @program) = @ARGV;
my @arguments = @program[3 .. $#program];
my ($package) = $0 =~ m{\A(.*)/daemon/[^/]+\z}s;
delete $ENV{PERL_BADLANG};    # the hook's own word to this interpreter

$SIG{INT} = sub { exit 130 } unless ($SIG{INT} || '') eq 'IGNORE';
my $code = ask();
exit $code if defined $code;
$SIG{PIPE} = 'DEFAULT';
exec {$python} $python, @program;
say_it(2, "assay: $python cannot be run: $!\n  do this: install the hook again, or take it out: rm '" . ($ENV{GIT_DIR} || '.git') . "/hooks/pre-commit'\n");
exit 127;

# Where this user's sockets are; empty when there is no such place.
sub socket_folder {
    my ($runtime, $cache, $home) = map { defined $ENV{$_} ? $ENV{$_} : '' } qw(XDG_RUNTIME_DIR XDG_CACHE_HOME HOME);
    return "$runtime/assaymark" if $runtime =~ m{\A/};
    $cache = "$home/.cache" unless $cache =~ m{\A/};
    return $cache =~ m{\A/} ? "$cache/assaymark/run" : '';
}

# One socket per installation and interpreter (FNV-1a).
sub socket_name {
    my ($device, $inode) = stat $package or return '';
    my $number = -0x340d631b7bdddcdb;    # 0xcbf29ce484222325
    $number = ($number ^ ord) * 0x100000001b3 for split //, "$device.$inode.$python";
    return sprintf '%016x.sock', $number;
}

# Tells this version of the code from any other at the same place.
sub stamp {
    my ($device, $inode, $size, $modified, $changed) = (stat "$package/hookclient.py")[0, 1, 7, 9, 10] or return '';
    return sprintf '%x.%x.%x.%x.%x', $device, $inode, $modified, $changed, $size;
}

# The folder, or nothing when it has been taken away.
sub here {
    my $folder = readlink '/proc/self/cwd';
    my @named = defined $folder ? stat $folder : ();
    my @real = stat '.';
    return @named && @real && "@named[0, 1]" eq "@real[0, 1]" ? $folder : undef;
}

sub request {
    my ($stamp, $folder) = (stamp(), here());
    return undef unless $stamp && defined $folder;
    # What Python says of itself and to its children where the locale is the one of 1970.
    local $ENV{LC_CTYPE} = 'C.UTF-8' if !$ENV{LC_ALL} && ($ENV{LC_CTYPE} || $ENV{LANG} || 'C') =~ /\A(?:C|POSIX)\z/;
    my $terminals = join '', map { -t $_ ? 1 : 0 } \*STDIN, \*STDOUT, \*STDERR;
    my $body = join "\0", $PROTOCOL, $stamp, $python, sprintf('%o', umask), $terminals, scalar @arguments, @arguments, $folder,
        map { "$_=$ENV{$_}" } sort grep { /\A(?:(?:$FAMILIES)|(?:$NAMES)\z)/o } keys %ENV;
    return pack('N', length $body) . $body;
}

# The daemon's exit code, or nothing when it did not take the request and nothing was printed.
sub ask {
    return undef if ($ENV{ASSAYMARK_DAEMON} || '') eq 'off' || $^O ne 'linux' || !defined $package;
    my $folder = socket_folder();
    my ($mode, $owner) = $folder ? (lstat $folder)[2, 4] : ();
    return undef unless defined $mode && $owner == $> && ($mode & 0170077) == 0040000;    # only this user can have made what is in it
    my $path = "$folder/" . socket_name();
    return undef if length $path > 107;
    my $data = request();
    return undef unless defined $data;

    my ($printed, $buffer) = (0, '');
    $SIG{PIPE} = 'IGNORE';
    socket my $link, 1, 1, 0 or return undef;    # AF_UNIX, SOCK_STREAM
    for my $timeout (20, 21) {                   # SOL_SOCKET; SO_RCVTIMEO, SO_SNDTIMEO
        setsockopt $link, 1, $timeout, pack('l!2', $PATIENCE, 0) or return undef;
    }
    if (connect $link, pack('S a108', 1, $path)) {
        while (length $data) {
            my $sent = syswrite $link, $data;
            last unless $sent;    # the daemon may have answered and gone
            substr $data, 0, $sent, '';
        }
        while (sysread $link, $buffer, 65536, length $buffer) {
            while (length $buffer >= 5) {
                my ($kind, $size) = unpack 'CN', $buffer;
                last if length $buffer < 5 + $size;
                my $body = substr $buffer, 5, $size;
                substr $buffer, 0, 5 + $size, '';
                if ($kind == $EXIT) { return ord $body }
                elsif ($kind == $ACCEPTED) { setsockopt $link, 1, 20, pack 'l!2', 0, 0 }
                elsif ($kind == $OUT || $kind == $ERR) { $printed = 1; say_it($kind, $body) }
                else { return undef }
            }
        }
    }
    return undef unless $printed;
    say_it($ERR, "assay: the daemon ended before its answer did; please run the command again\n");
    return 4;
}

sub say_it {
    my ($number, $body) = @_;
    my $stream = $number == $OUT ? \*STDOUT : \*STDERR;
    while (length $body) {
        my $sent = syswrite $stream, $body;
        if (defined $sent) { substr $body, 0, $sent, '' }
        elsif ($! == 11) { my $ready = ''; vec($ready, $number, 1) = 1; select undef, $ready, undef, undef }    # EAGAIN
        else { exit 1 }    # nobody reads any more
    }
}
