#!/bin/sh
# Creates the virtual environment and installs this project with its development tools into it.
# usage: setup.sh DIRECTORY   (PYTHON names the interpreter, python3 unless told)
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $python is older than Python 3.11; name another one: make PYTHON=python3.11" >&2
    exit 1
}
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    # Debian ships the venv module without its installer in a package of its own.
    here=$(dirname "$0")
    sh "$here/debian_packages.sh" python3-venv
fi
echo "setup: creating $venv (the first time takes a minute or two)" >&2
"$python" -m venv "$venv"
# An editable install by path: the other kind looks every import up in a hook, which a short command would feel.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt \
    --config-settings editable_mode=compat -e '.[dev]'
# Compiled now, so that the first command starts as quickly as the tenth, even where Python may not write later.
"$venv/bin/python" -m compileall -q cosi talos resources controllers machined
