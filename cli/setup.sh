#!/bin/sh
# Finds the newest Python that Lambda has, too, and has it install the parts named as arguments: tools, dev, aws, bench, clients.
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
for python in python3.14 python3.13 python3.12 python3.11 python3; do
    if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
        exec "$python" "$here/setup.py" "$@"
    fi
done
found=$(python3 --version 2>/dev/null || echo "no Python")
echo "Heraldo needs Python 3.11 to 3.14 on the PATH; found $found." >&2
exit 1
