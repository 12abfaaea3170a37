"""What an installed hook runs: ``python -I -S <this file> <arguments>``. The client is `assaymark.hookclient`.

A script is compiled at every start and a module once, so this one is four statements; measured, a quarter of the client's instructions.
"""

import sys

sys.path.insert(0, __file__.rpartition("/daemon/")[0])
import hookclient  # noqa: E402 - found through the line above, as the only module of its folder

del sys.path[0]
hookclient.main(sys.argv[1:])
