# SPDX-License-Identifier: MIT
"""terminal.py COMMAND...: runs COMMAND in a pseudo-terminal as the foreground of a new session and acts out the
script on stdin: "send TEXT" (with \\r, \\x03 ... as in Python), "expect REGEX", "pause SECONDS".  Prints what was
expected and not seen, and at the end "status N"."""
import os
import pty
import re
import select
import signal
import sys
import time

script = sys.stdin.read().splitlines()
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[1], sys.argv[1:])

seen = ""


def read(timeout):
    global seen
    if not select.select([fd], [], [], timeout)[0]:
        return False
    try:
        data = os.read(fd, 65536)
    except OSError:
        return False
    seen += data.decode(errors="replace")
    return bool(data)


def expect(pattern, timeout=15):
    global seen
    end = time.time() + timeout
    while True:
        m = re.search(pattern, seen)
        if m:
            seen = seen[m.end():]
            return True
        if time.time() > end:
            return False
        read(0.1)


for line in script:
    if not line.strip():
        continue
    verb, _, rest = line.strip().partition(" ")
    if verb == "send":
        os.write(fd, rest.encode().decode("unicode_escape").encode())
    elif verb == "pause":
        time.sleep(float(rest))
    elif verb == "expect":
        if not expect(rest):
            print("missing: %s\n--- seen: %s" % (rest, seen[-1500:]))
            os.kill(pid, signal.SIGKILL)
            break
    else:
        sys.exit("terminal.py: " + verb)

end = time.time() + 10
status = None
while time.time() < end and status is None:
    read(0.05)
    done, st = os.waitpid(pid, os.WNOHANG)
    if done:
        status = os.waitstatus_to_exitcode(st)
if status is None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    print("still running at the end\n--- seen: %s" % seen[-1500:])
print("status %s" % status)
