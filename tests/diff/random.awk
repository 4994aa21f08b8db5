# SPDX-License-Identifier: MIT
# Writes a script for prog/sysprobe: awk -f random.awk -v seed=N -v count=N.  Few names, so that they meet: what
# is removed is made again, renamed over, linked, listed.
function pick(s,	a, n) { n = split(s, a, " "); return a[int(rand() * n) + 1] }
function name() { return pick("f1 f2 f3 a b c sub empty in1 common new file x") }
function dir() { return pick("d d d/sub d/sub/deep both both/in1 many opq up a a/b only1 gone sticky only2 x") }
function path() {
	if (rand() < 0.25)
		return pick("d both many opq up a gone hard1 hard2 link dirlink dangling big suid only1 only2 ufile x b fifo sparse")
	return dir() "/" name()
}
function mode() { return pick("0644 0600 0755 0700 0444") }
BEGIN {
	srand(seed)
	for (i = 0; i < count; i++) {
		r = int(rand() * 100)
		if (r < 12) print "rename " path() " " path()
		else if (r < 16) print "rename " dir() " " dir()
		else if (r < 20) print "renameat2 . " path() " . " path() " RENAME_EXCHANGE"
		else if (r < 22) print "renameat2 . " path() " . " path() " RENAME_NOREPLACE"
		else if (r < 32) print "mkdir " path() " " pick("0755 0700 02755")
		else if (r < 42) print "unlink " path()
		else if (r < 50) print "rmdir " (rand() < 0.5 ? dir() : path())
		else if (r < 58) print "put " path() " " pick("x yy zzz")
		else if (r < 62) print "open " path() " " pick("O_RDWR O_WRONLY|O_CREAT|O_EXCL O_RDWR|O_CREAT O_WRONLY|O_TRUNC O_RDONLY|O_DIRECTORY") "|O_NONBLOCK " mode()
		else if (r < 65) print "link " path() " " path()
		else if (r < 68) print "symlink " pick("../d/f1 sub f1 nowhere") " " path()
		else if (r < 71) print "chmod " path() " " pick("0755 0711 0777")
		else if (r < 73) print "utimensat . " path() " 1000000000 1000000000"
		else if (r < 75) print "truncate " path() " " pick("0 1 10")
		else if (r < 77) print "setxattr " path() " user.k " pick("v w")
		else if (r < 78) print "removexattr " path() " user.k"
		else if (r < 79) print "mknod " path() " S_IFIFO|0644"
		else if (r < 88) print "stat " path()
		else if (r < 91) print "cat " pick("d/f1 d/f2 both/common opq/new many/1 a/x " dir() "/" name())
		else if (r < 94) print "lstat " path()
		else if (r < 96) print "access " path() " " pick("R_OK W_OK X_OK")
		else {
			print "$l = open " dir() " O_RDONLY|O_DIRECTORY"
			print "getdents $l"
			print "close $l"
		}
	}
}
