"""Runs a command in a pseudo-terminal of a fixed size, sends keys after pauses, and prints the screens it showed.

top.py COLUMNS ROWS STEPS COMMAND...   STEPS: "wait:1.5 keys:s resize:60x12 shot", in their order
"""
import fcntl, os, pty, select, signal, struct, sys, termios, time

columns, rows, steps, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(), sys.argv[4:]
pid, master = pty.fork()
if pid == 0:
    os.execvp(command[0], command)


def resize(columns, rows):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.kill(pid, signal.SIGWINCH)


shown = b""


def drain(seconds):
    global shown
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        if ready:
            try:
                shown += os.read(master, 65536)
            except OSError:
                return


fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
for step in steps:
    word, _, value = step.partition(":")
    if word == "wait":
        drain(float(value))
    elif word == "keys":
        os.write(master, value.encode().decode("unicode_escape").encode())
        drain(0.3)
    elif word == "resize":
        resize(*map(int, value.split("x")))
        drain(0.3)
    elif word == "shot":
        # The last screen that was painted whole.
        frame = shown.rsplit(b"\x1b[H", 1)[-1].decode(errors="replace")
        print("=== shot")
        print(frame.replace("\x1b[K", "").replace("\x1b[J", "").replace("\r", ""))
drain(2)
_, status = os.waitpid(pid, 0)
print("=== end", os.waitstatus_to_exitcode(status), repr(shown[-30:]))
