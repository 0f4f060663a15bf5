# SPDX-License-Identifier: GPL-2.0-or-later
"""What each format says was found, in one form: compared, each has to say the same.

compare(TOOL, PLUGINS, TRACE) gives what differs, as sentences. TOOL is shmemscope, PLUGINS the
directory with the babeltrace2 plugin, or None where there is none to be loaded. The plugin's sink
is asked for one format of each trace, in turn; tests/babeltrace has each of some.
"""

import dataclasses
import itertools
import json
import os
import re
import subprocess
import tempfile
import xml.etree.ElementTree

FORMATS = ("text", "json", "html", "sarif", "junit", "chrome")
SINK = "sink.shmemscope.report"
FILTER = "filter.shmemscope.lifetimes"
TIMEOUT_S = 120
CERTAINTIES = "observed|suspected|hazard|unknown"
HEADING = re.compile(rf"([A-Z][A-Z -]+) ({CERTAINTIES})(?:   (.*))?")
PROCESS = re.compile(r"(?:(?P<vm>.*) \()?(?P<name>.*) \d+\)?")
# Of JUnit: "observed: what [whose], N times; of what is not visible".
LINES = (re.compile(rf"({CERTAINTIES}): .*? \[(.*? \d+\)?)(?:, device (.*?))?\]"
                    r"(?:, (\d+) times)?(?:; .*)?"),
         re.compile(rf"({CERTAINTIES}): .*?()()(?:, (\d+) times)?(?:; .*)?"))
FIELD = re.compile(r'(\w+) = (?:"((?:[^"\\]|\\.)*)"|(-?\w+))')
CUT = "..."


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """VM is the VM's name, or the process's where that has none; "" where it is of nobody.
    A count of None stands for any: the format leaves it out."""

    id: str
    certainty: str
    count: object
    vm: str
    device: str

    def meets(self, other):
        """Whether this one, whose names may be cut, is the other."""
        return ((self.id, self.certainty) == (other.id, other.certainty)
                and self.count in (None, other.count)
                and _is_cut_of(self.vm, other.vm) and _is_cut_of(self.device, other.device))


def _is_cut_of(cut, name):
    return cut == name or cut.endswith(CUT) and name.startswith(cut.removesuffix(CUT))


def _vm(process_text):
    parts = PROCESS.fullmatch(process_text)
    return parts["vm"] or parts["name"]


def of_json(text):
    for found in json.loads(text)["findings"]:
        process, device = found["process"] or {}, found["device"] or {}
        yield Finding(found["id"], found["certainty"], found["count"],
                      process.get("vm") or process.get("name", ""),
                      device.get("id") or device.get("chardev")
                      or (device["dev"] if device.get("vdev") == "0x0" else device.get("vdev", "")))


def of_html(text):
    """Of the data that the page's programs show; a browser's tests see that they do."""
    yield from of_json(re.search(r'<script type="application/json" id="report">(.*?)</script>',
                                 text, re.DOTALL)[1])


def of_sarif(text):
    for result in json.loads(text)["runs"][0]["results"]:
        vm = device = ""
        for location in result["locations"]:
            for logical in location.get("logicalLocations", ()):
                vm = full = logical["fullyQualifiedName"]
                if logical["kind"] == "resource":
                    device = logical["name"]
                    vm = full.removesuffix("/" + device)
        yield Finding(result["ruleId"], result["properties"]["certainty"],
                      result["occurrenceCount"], vm, device)


def of_junit(text):
    for case in xml.etree.ElementTree.fromstring(text).iter("testcase"):
        for tag in ("failure", "system-out", "system-err"):
            for line in (case.findtext(tag) or "").splitlines():
                said = LINES[0].fullmatch(line) or LINES[1].fullmatch(line)
                if said:
                    certainty, process, device, count = said.groups()
                    yield Finding(case.get("name"), certainty, int(count or 1),
                                  _vm(process) if process else "", device or "")


def of_chrome(text):
    for event in json.loads(text)["traceEvents"]:
        if event["ph"] == "i":
            said = event["args"]
            yield Finding(event["name"], said["certainty"], said["count"], said["vm"],
                          said["device"])


def _blocks(text):
    """Of each finding its heading in one line, and what follows it."""
    block = None
    for line in text.splitlines():
        if HEADING.fullmatch(line):
            block = [line, []]
            yield block
        elif block and not block[1] and line.startswith("    "):
            block[0] += "   " + line.strip()
        elif block:
            block[1].append(line)


def _orders(lines):
    """How often each order of a table of hazards was open; None for those that it leaves out."""
    column = None
    for line in lines:
        if line.startswith("  no waits for "):
            column = line.index("times")
        elif column and re.match(r"  \d", line):
            yield int(line[column:].split()[0])
        elif column and (more := re.fullmatch(r"  and (\d+) more, which JSON has", line)):
            yield from [None] * int(more[1])
        elif column:
            return


def _undecided(text):
    """The checks of which all is unknown: "  UNKNOWN   CHECK, CHECK: why", in as many lines."""
    words = ""
    for line in text.splitlines():
        if line.startswith("  UNKNOWN "):
            words = line.removeprefix("  UNKNOWN ")
        elif words and line.startswith("     "):
            words += " " + line.strip()
        if words and ":" in words:
            for check in words.partition(":")[0].split(","):
                yield Finding(check.strip(), "unknown", 1, "", "")
            words = ""


def of_text(text):
    ids = {}
    yield from _undecided(text)
    for heading, lines in list(_blocks(text)):
        title, certainty, rest = HEADING.fullmatch(heading).groups()
        vm = device = ""
        count = 1
        for number, part in enumerate((rest or "").split("   ")):
            if part.startswith("device "):
                device = part.removeprefix("device ").removeprefix("chardev ")
            elif re.fullmatch(r"\d+ times", part):
                count = int(part.split()[0])
            elif number == 0 and part:
                vm = _vm(part)
        for line in lines:
            if (more := re.match(r"  more     docs/findings/([\w-]+)\.md", line)):
                ids.setdefault(title, more[1])
                break
        for times in list(_orders(lines)) or [count]:
            yield Finding(ids[title], certainty, times, vm, device)


def of_filter(text):
    """Of babeltrace2's text; only the name of the VM is there, and not its process's."""
    for line in text.splitlines():
        if " shmemscope:finding: " in line:
            said = {name: re.sub(r"\\(.)", r"\1", word) if not number else int(number, 0)
                    for name, word, number in FIELD.findall(line.partition("finding: ")[2])}
            vm, device = ("" if said[name] == "-" else said[name] for name in ("vm", "device"))
            yield Finding(said["id"], said["certainty"], said["count"], vm, device)


_turns = itertools.cycle(FORMATS)
READERS = {"text": of_text, "json": of_json, "html": of_html, "sarif": of_sarif, "junit": of_junit,
           "chrome": of_chrome}


def run(command, plugins=None):
    environment = dict(os.environ, **({"BABELTRACE_PLUGIN_PATH": plugins} if plugins else {}))
    return subprocess.run(command, check=False, capture_output=True, timeout=TIMEOUT_S,
                          stdin=subprocess.DEVNULL, env=environment)


def _differences(what, said, expected):
    """Both in any order; each that is said has to meet one of its own."""
    left = list(expected)
    for one in sorted(said, key=lambda found: found.count is None):
        met = next((other for other in left if one.meets(other)), None)
        if met is None:
            yield f"{what} says too much: {one}"
        else:
            left.remove(met)
    yield from (f"{what} does not say: {one}" for one in left)


def _of_plugin(tool, plugins, trace, fmt, report):
    sink = run(["babeltrace2", trace, "-c", SINK, "--params", f'format="{fmt}"'], plugins)
    if (sink.returncode, sink.stdout) != (report.returncode, report.stdout):
        yield f"{SINK} says something else than {tool} in {fmt}: {sink.stderr.decode()}"


def compare(tool, plugins, trace):
    """What differs between the formats of a trace's report, and in the plugin's words."""
    try:
        return _compared(tool, plugins, trace)
    except (KeyError, ValueError, SyntaxError, TypeError, subprocess.SubprocessError) as error:
        return [f"a format cannot be read: {error!r}"]  # SyntaxError is XML's


def differences(texts):
    """Between what formats say of the same: {format: text}, JSON among them."""
    expected = list(of_json(texts["json"]))
    # What is known from the start to be out of reach is no finding; text has it among the unknown.
    undecided = [Finding(entry["check"], "unknown", 1, "", "")
                 for entry in json.loads(texts["json"])["undecided"] if not entry["partial"]]
    beside = [one for one in undecided if one not in expected]
    for fmt, text in texts.items():
        yield from _differences(fmt, READERS[fmt](text),
                                expected + (beside if fmt == "text" else []))


def written(plugins, trace):
    """What the filter adds, written as CTF and read back by babeltrace2: as it prints it. The trace
    of its own is read alone; of the other one babeltrace2 may have a megabyte of text to print."""
    with tempfile.TemporaryDirectory(prefix="shmemscope-test-") as tmp:
        out = os.path.join(tmp, "written")
        done = run(["babeltrace2", trace, "-c", FILTER, "-c", "sink.ctf.fs", "--params",
                    f'path="{out}",quiet=yes'], plugins)
        back = run(["babeltrace2", os.path.join(out, "shmemscope")])
    for one in (done, back):
        if one.returncode or one.stderr:
            raise ValueError(one.stderr.decode("utf-8", "replace"))
    return back.stdout.decode("utf-8")


def _compared(tool, plugins, trace):
    reports = {fmt: run([tool, "report", "--format", fmt, trace]) for fmt in FORMATS}
    for fmt, report in reports.items():
        if report.returncode not in (0, 1):
            return [f"no report in {fmt}: {report.stderr.decode()}"]
    texts = {fmt: report.stdout.decode("utf-8") for fmt, report in reports.items()}
    wrong = list(differences(texts))
    wrong += [f"the exit status in {fmt} is another one" for fmt in FORMATS
              if reports[fmt].returncode != reports["json"].returncode]
    if plugins:
        turn = next(_turns)
        wrong += _of_plugin(tool, plugins, trace, turn, reports[turn])
        named = [dataclasses.replace(of, vm=(found["process"] or {}).get("vm", ""))
                 for of, found in zip(of_json(texts["json"]),
                                      json.loads(texts["json"])["findings"])]
        wrong += _differences(FILTER, of_filter(written(plugins, trace)), named)
    return wrong
