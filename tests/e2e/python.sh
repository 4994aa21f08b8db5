#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# python3: a virtual environment, compileall, sqlite3 with a write-ahead log.
. "${srcdir:-.}/tests/tap.sh"

body() {
	have python3 || { skip "python3" "it is not installed"; return; }
	fresh
	mkdir -p "$L/lib/pkg"
	for i in 1 2 3 4 5; do echo "x = $i" >"$L/lib/pkg/m$i.py"; done
	echo "from .m1 import x" >"$L/lib/pkg/__init__.py"
	if python3 -c 'import venv, ensurepip' 2>/dev/null; then
		ok "a virtual environment" vsh 'python3 -m venv --without-pip env && env/bin/python -c "import sys
assert sys.prefix.startswith(sys.argv[1]), sys.prefix" "$M"'
	else
		skip "a virtual environment" "python3-venv is not installed"
	fi
	ok "compileall" vsh 'python3 -m compileall -q lib && [ "$(find lib -name "*.pyc" | wc -l)" = 6 ]'
	is "import" "$(vsh 'cd lib && python3 -c "import pkg; print(pkg.x, pkg.__file__)"')" "1 $M/lib/pkg/__init__.py"
	cat >"$T/db.py" <<-'END'
		import multiprocessing, os, sqlite3, sys
		path = sys.argv[1]
		def writer(n):
		    c = sqlite3.connect(path, timeout=60)
		    for i in range(20):
		        with c: c.execute('insert into t values (?, ?)', (n, i))
		if __name__ == '__main__':
		    c = sqlite3.connect(path)
		    print(c.execute('pragma journal_mode=wal').fetchone()[0])
		    c.execute('create table if not exists t (w, i)')
		    c.commit()
		    before = c.execute('select count(*) from t').fetchone()[0]
		    ps = [multiprocessing.Process(target=writer, args=(n,)) for n in range(4)]
		    [p.start() for p in ps]
		    [p.join() for p in ps]
		    print(c.execute('select count(*) from t').fetchone()[0] - before, c.execute('pragma integrity_check').fetchone()[0])
		    c.execute('pragma wal_checkpoint(truncate)')
		    c.execute('vacuum')
		    c.close()
	END
	if python3 -c 'import sqlite3' 2>/dev/null; then
		is "sqlite3 with WAL, four writers" "$(view python3 "$T/db.py" "$M/new.db")" $'wal\n80 ok'
		python3 "$T/db.py" "$L/old.db" >/dev/null
		tap_sealed=''
		is "a database of the lower layer" "$(view python3 "$T/db.py" "$M/old.db")" $'wal\n80 ok'
		is "it has the rows of both" "$(python3 -c 'import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("select count(*) from t").fetchone()[0])' "$U/old.db")" 160
	else
		skip "sqlite3" "the module is not there"
	fi
	same_on_mounts
}
variants body
