#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The recording verb, on a real session daemon and a real traced process.

usage: test-record.py SHMEMSCOPE EMIT [unittest arguments]
"""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SHMEMSCOPE = EMIT = ''
PATIENCE = 30  # seconds until a test calls something stuck


def sessions():
    listing = subprocess.run(['lttng', '--no-sessiond', 'list'], capture_output=True, text=True)
    return re.findall(r'^\s+\d+\) (\S+)', listing.stdout, re.MULTILINE)


def events(trace, name):
    """All events of that name, as text, in the order of time; the trace must read cleanly."""
    read = subprocess.run(['babeltrace2', trace], capture_output=True, text=True, check=False)
    if read.returncode != 0 or read.stderr:
        raise AssertionError(f'babeltrace2 complains ({read.returncode}): {read.stderr}')
    return [line for line in read.stdout.splitlines() if f' {name}: ' in line]


def numbers(trace, pid=None):
    """What the events tell, of one process when a PID is given: others are traced as well."""
    return [int(re.search(r' seq = (\d+)', line).group(1))
            for line in events(trace, 'qemu:vhost_user_reply_read')
            if pid is None or f' vpid = {pid},' in line]


def vpids(trace):
    """The processes that a trace tells of, which may be written still and have lost events."""
    read = subprocess.run(['babeltrace2', trace], capture_output=True, text=True, check=False)
    return {int(pid) for pid in re.findall(r' vpid = (\d+),', read.stdout)}


def readable(trace):
    """How many events of a trace can be read that is being written."""
    read = subprocess.run(['babeltrace2', trace], capture_output=True, text=True, check=False)
    return len(read.stdout.splitlines()) if read.returncode == 0 else 0


def readable_after_fire(emit, trace):
    emit.fire(1)
    return readable(trace) > 0


class Emit:
    """A traced process that obeys; `process` may be a recorder that runs it."""

    def __init__(self, process):
        self.process = process

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        if not ready:
            raise AssertionError('no answer')
        return self.process.stdout.readline().strip()

    def send(self, line):
        self.process.stdin.write(line + '\n')
        self.process.stdin.flush()

    def fire(self, count):
        self.send(f'fire {count}')
        return self.answer()


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        self.top = self.stack.enter_context(tempfile.TemporaryDirectory(prefix='ss-record-'))
        self.trace = os.path.join(self.top, 'trace')

    def start(self, argv):
        """Starts a process that surely ends with the test."""
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, bufsize=1)
        self.stack.callback(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
        process.wait(PATIENCE)

    def record(self, *arguments):
        return self.start([SHMEMSCOPE, 'record', '--output', self.trace, *arguments])

    def run_record(self, *arguments, **keywords):
        return subprocess.run([SHMEMSCOPE, 'record', '--output', self.trace, *arguments],
                              capture_output=True, text=True, timeout=PATIENCE * 2,
                              check=False, **keywords)

    def run_file(self):
        with open(os.path.join(self.trace, 'shmemscope-run.json'), encoding='utf-8') as stream:
            return json.load(stream)

    def wait_for_line(self, process, text):
        for line in process.stderr:
            if text in line:
                return line
        raise AssertionError(f'stderr ended without "{text}"')

    def wait_until(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f'never: {what}')
            time.sleep(0.05)

    # ---- with a command -----------------------------------------------------------

    def test_command_from_its_first_event(self):
        done = self.run_record('--', EMIT, '500', input='fire 250\nexit 7\n')
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertEqual(done.stdout, 'fired 500\nfired 750\n')
        self.assertEqual(numbers(self.trace), list(range(1, 751)))
        run = self.run_file()
        self.assertEqual(run['command'], [EMIT, '500'])
        self.assertEqual((run['exit_code'], run['signal'], run['complete']), (7, None, True))
        self.assertLess(run['started_ns'], run['ended_ns'])
        one = events(self.trace, 'qemu:memory_commit_start')[0]
        self.assertIn(f'vpid = {run["pid"]}, vtid = {run["pid"]}, procname = "emit"', one)
        self.assertIn(f'The trace is in "{self.trace}"'.lower(), done.stderr.lower())

    def test_run_file_and_trace_share_a_clock(self):
        self.run_record('--', EMIT, '1', input='')
        run = self.run_file()
        line = subprocess.run(['babeltrace2', '--clock-seconds', '--no-delta', self.trace],
                              capture_output=True, text=True, check=True).stdout
        seconds, fraction = re.match(r'\[(\d+)\.(\d{9})\]', line).groups()
        told = int(seconds) * 10**9 + int(fraction)
        self.assertLess(run['started_ns'], told)
        self.assertLess(told, run['ended_ns'])

    def test_command_that_dies(self):
        done = self.run_record('--', EMIT, '300', input='abort\n')
        self.assertEqual(done.returncode, 128 + signal.SIGABRT, done.stderr)
        self.assertEqual(numbers(self.trace), list(range(1, 301)))
        run = self.run_file()
        self.assertEqual((run['exit_code'], run['signal']), (None, signal.SIGABRT))
        self.assertIn({'pid': run['pid'], 'ended': True},
                      [{'pid': p['pid'], 'ended': p['ended']} for p in run['processes']])

    def test_command_that_tells_nothing(self):
        done = self.run_record('--', 'true')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stderr.endswith('nothing was recorded: no process that LTTng traces '
                                             'was there\n'), done.stderr)

    def test_command_that_is_not_there(self):
        name = f'test-nothing-{os.getpid()}'
        done = self.run_record('--session', name, '--', os.path.join(self.top, 'nothing'))
        self.assertEqual(done.returncode, 127, done.stderr)
        self.assertIn('Cannot start the command', done.stderr)
        self.assertNotIn(name, sessions())

    def test_signals_go_to_the_command(self):
        script = ('import signal, sys; signal.signal(signal.SIGINT, lambda *_: sys.exit(9));'
                  'print("ready", flush=True); signal.pause()')
        recorder = self.record('--', '/usr/bin/python3', '-c', script)
        self.assertEqual(recorder.stdout.readline(), 'ready\n')
        recorder.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait(PATIENCE), 9)
        self.assertEqual(self.run_file()['exit_code'], 9)

    def test_second_signal_ends_without_the_command(self):
        script = ('import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);'
                  'print("ready", flush=True); input()')
        recorder = self.record('--', '/usr/bin/python3', '-c', script)
        self.assertEqual(recorder.stdout.readline(), 'ready\n')
        recorder.send_signal(signal.SIGTERM)
        # A pending signal is told once: the first has to be taken before the second counts.
        self.wait_until(lambda: not pending(recorder.pid, signal.SIGTERM), 'first signal taken')
        recorder.send_signal(signal.SIGTERM)
        self.assertEqual(recorder.wait(PATIENCE), 128 + signal.SIGTERM)
        run = self.run_file()
        self.assertEqual((run['exit_code'], run['ended_ns'], run['complete']),
                         (None, None, True))
        os.kill(run['pid'], 0)  # it lives
        recorder.stdin.write('\n')

    # ---- the recorder's own death -------------------------------------------------

    def test_killed_recorder_leaves_the_trace(self):
        recorder = self.record('--', EMIT, '400')
        emit = Emit(recorder)
        self.assertEqual(emit.answer(), 'fired 400')
        self.assertEqual(emit.fire(100), 'fired 500')
        session = self.run_file()['session']
        recorder.kill()
        recorder.wait(PATIENCE)
        line = self.wait_for_line(recorder, 'the recorder is gone')
        self.assertIn(self.trace, line)
        self.assertEqual(numbers(self.trace), list(range(1, 501)))
        self.assertNotIn(session, sessions())
        self.assertFalse(self.run_file()['complete'])
        # The command noticed nothing.
        self.assertEqual(emit.fire(10), 'fired 510')

    def test_killed_with_its_keeper(self):
        recorder = self.record('--', EMIT, '400')
        emit = Emit(recorder)
        self.assertEqual(emit.answer(), 'fired 400')
        session = self.run_file()['session']
        self.stack.callback(subprocess.run, ['lttng', 'destroy', session], check=False,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_until(lambda: keepers(recorder.pid), 'a keeper by its name')
        os.kill(keepers(recorder.pid)[0], signal.SIGKILL)
        recorder.kill()
        recorder.wait(PATIENCE)
        self.assertIn(session, sessions())
        # Nobody stops the session: what was told reaches the disk by itself.
        self.wait_until(lambda: readable(self.trace) >= 800, 'all events on the disk')
        self.assertEqual(numbers(self.trace), list(range(1, 401)))
        self.assertEqual(emit.fire(10), 'fired 410')
        # The next recorder tells of the session, and leaves it alone.
        other = subprocess.run([SHMEMSCOPE, 'record', '--output', self.trace + '2', '--',
                                '/bin/true'], capture_output=True, text=True, check=True)
        self.assertIn(f'lttng destroy {session}', other.stderr)
        self.assertIn(session, sessions())

    # ---- what already runs --------------------------------------------------------

    def test_attaches_and_leaves(self):
        lives = Emit(self.start([EMIT]))
        dies = Emit(self.start([EMIT]))
        self.assertEqual((lives.answer(), dies.answer()), ('fired 0', 'fired 0'))
        lives.fire(5)  # nobody records yet
        # These two only: what else is traced on this machine may tell more than the buffers hold.
        recorder = self.record('--session', f'test-record-{os.getpid()}',
                               '--pid', str(lives.process.pid), '--pid', str(dies.process.pid))
        self.wait_for_line(recorder, 'recording into')
        self.assertEqual(lives.fire(200), 'fired 205')
        self.assertEqual(dies.fire(50), 'fired 50')
        self.wait_until(lambda: self.known_processes() >=
                        {lives.process.pid, dies.process.pid}, 'both processes watched')
        dies.send('abort')
        dies.process.wait(PATIENCE)
        recorder.send_signal(signal.SIGTERM)
        self.assertEqual(recorder.wait(PATIENCE), 0, recorder.stderr.read())
        self.assertEqual(lives.fire(5), 'fired 210')
        run = self.run_file()
        ended = {p['pid']: p['ended'] for p in run['processes']}
        self.assertIs(ended[lives.process.pid], False)
        self.assertIs(ended[dies.process.pid], True)
        self.assertNotIn('command', run)
        self.assertEqual(numbers(self.trace, lives.process.pid), list(range(6, 206)))
        self.assertEqual(numbers(self.trace, dies.process.pid), list(range(1, 51)))

    def test_attaches_to_all(self):
        """Without --pid every traced process is recorded, of which others may be there as well."""
        ours = [Emit(self.start([EMIT])) for _ in range(2)]
        for emit in ours:
            self.assertEqual(emit.answer(), 'fired 0')
        recorder = self.record()
        self.wait_for_line(recorder, 'recording into')
        pids = {emit.process.pid for emit in ours}

        def both_told():
            for emit in ours:
                emit.fire(1)
            return vpids(self.trace) >= pids
        self.wait_until(both_told, 'events of both processes')
        recorder.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait(PATIENCE), 0)
        self.assertGreaterEqual(self.known_processes(), pids)

    def test_only_what_was_asked_for(self):
        asked = Emit(self.start([EMIT]))
        other = Emit(self.start([EMIT]))
        self.assertEqual((asked.answer(), other.answer()), ('fired 0', 'fired 0'))
        recorder = self.record('--pid', str(asked.process.pid))
        self.wait_for_line(recorder, 'recording into')
        self.assertEqual((asked.fire(30), other.fire(70)), ('fired 30', 'fired 70'))
        recorder.send_signal(signal.SIGINT)
        self.assertEqual(recorder.wait(PATIENCE), 0)
        self.assertEqual(numbers(self.trace), list(range(1, 31)))
        self.assertEqual(self.known_processes(), {asked.process.pid})

    def test_what_the_command_starts(self):
        other = Emit(self.start([EMIT]))
        self.assertEqual(other.answer(), 'fired 0')
        recorder = Emit(self.record('--', '/bin/sh', '-c', f'{EMIT}; exit 4'))
        self.assertEqual(recorder.answer(), 'fired 0')
        self.wait_until(lambda: self.known_processes() and readable_after_fire(
            recorder, self.trace), 'events of the child')
        self.assertEqual(other.fire(70), 'fired 70')
        recorder.send('exit 0')
        self.assertEqual(recorder.process.wait(PATIENCE), 4)
        run = self.run_file()
        vpids = {int(re.search(r'vpid = (\d+)', line).group(1))
                 for line in events(self.trace, 'qemu:vhost_user_reply_read')}
        self.assertEqual(len(vpids), 1)
        self.assertNotIn(other.process.pid, vpids)
        self.assertEqual({p['pid'] for p in run['processes']}, vpids | {run['pid']})

    def known_processes(self):
        try:
            return {p['pid'] for p in self.run_file()['processes']}
        except FileNotFoundError:
            return set()

    def test_duration(self):
        done = self.run_record('--duration', '0.3', input='')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.run_file()['complete'])

    # ---- what is recorded ---------------------------------------------------------

    def test_class_left_out(self):
        done = self.run_record('--exclude-class', 'transaction', '--', EMIT, '20', input='')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(events(self.trace, 'qemu:memory_commit_start'), [])
        self.assertEqual(len(numbers(self.trace)), 20)

    def test_class_left_out_of_everything(self):
        done = self.run_record('--set', 'all', '--exclude-class', 'wait', '--', EMIT,
                               '20', input='')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(numbers(self.trace), [])
        self.assertEqual(len(events(self.trace, 'qemu:memory_commit_start')), 20)

    def test_losses_are_counted(self):
        done = self.run_record('--buffer-size', '32', '--', EMIT, '400000', input='')
        self.assertEqual(done.returncode, 0, done.stderr)
        lost = int(re.search(r'(\d+) events found no room', done.stderr).group(1))
        self.assertGreater(lost, 0)
        self.assertEqual(self.run_file()['discarded_events'], lost)
        read = subprocess.run(['babeltrace2', self.trace], capture_output=True, text=True,
                              check=True)
        told = [line for line in read.stdout.splitlines() if ' qemu:' in line]
        self.assertEqual(len(told) + lost, 800000)

    # ---- refusals -----------------------------------------------------------------

    def refused(self, status, sentence, *arguments, **keywords):
        done = self.run_record(*arguments, input='', **keywords)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(sentence, done.stderr)
        return done

    def test_directory_in_use(self):
        os.mkdir(self.trace)
        keep = os.path.join(self.trace, 'precious')
        with open(keep, 'w', encoding='utf-8') as stream:
            stream.write('data')
        self.refused(3, 'it is not empty', '--', EMIT)
        self.assertEqual(os.listdir(self.trace), ['precious'])

    def test_session_of_somebody_else(self):
        name = f'somebody-{os.getpid()}'
        self.run_record('--duration', '0.1')  # a daemon runs from here on
        subprocess.run(['lttng', 'create', name, '--output', os.path.join(self.top, 'theirs')],
                       check=True, stdout=subprocess.DEVNULL)
        try:
            self.trace += '2'
            self.refused(3, 'is left alone', '--session', name, '--', EMIT)
            self.assertIn(name, sessions())
        finally:
            subprocess.run(['lttng', 'destroy', name], check=True, stdout=subprocess.DEVNULL)

    def test_usage(self):
        self.refused(2, 'There is no event class "nonsense"; the classes are device, channel',
                     '--exclude-class', 'nonsense', '--', EMIT)
        self.refused(2, '--set is default, catalogue or all', '--set', 'some', '--', EMIT)
        self.refused(2, '--pid is for a recording without', '--pid', '1', '--', EMIT)
        self.refused(2, 'there is no process 2147483647', '--pid', '2147483647')
        self.refused(2, '--duration is for a recording without', '--duration', '1', '--', EMIT)
        self.assertFalse(os.path.exists(self.trace))
        done = subprocess.run([SHMEMSCOPE, 'record', '--', EMIT], capture_output=True, text=True,
                              check=False)
        self.assertEqual((done.returncode, '--output DIR is needed' in done.stderr), (2, True))

    def test_no_daemon_to_be_had(self):
        # A user without a daemon and without the program that would be one.
        def become_nobody():
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
        os.chmod(self.top, 0o777)
        done = self.refused(3, 'no LTTng session daemon answers', '--', EMIT,
                            preexec_fn=become_nobody,
                            env={'PATH': self.top, 'HOME': self.top, 'LTTNG_HOME': self.top})
        self.assertIn('group "tracing"', done.stderr)
        self.assertNotIn('fired', done.stdout)


def name_of(pid):
    with open(f'/proc/{pid}/comm', encoding='utf-8') as stream:
        return stream.read().strip()


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children', encoding='utf-8') as stream:
        return [int(child) for child in stream.read().split()]


def keepers(pid):
    """It names itself, and may not have come to that yet."""
    return [child for child in children(pid) if name_of(child) == 'shmemscope-keep']


def pending(pid, number):
    with open(f'/proc/{pid}/status', encoding='utf-8') as stream:
        bits = [int(line.split()[1], 16) for line in stream
                if line.startswith(('SigPnd:', 'ShdPnd:'))]
    return any(mask >> (number - 1) & 1 for mask in bits)


if __name__ == '__main__':
    SHMEMSCOPE, EMIT = sys.argv[1:3]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
