"""What stands between an approved digest and what runs: gates, pure; they know no server, store or clock."""
