"""Prints the native histograms of the conformance kit and the instant queries about them, with the recorded answers.

python3 golden_histograms.py FOLDER     FOLDER holds the kit: dataset.py, compare.py, golden.py, fuzz.py and the record
"""
import json, lzma, os, re, sys, urllib.parse

folder = sys.argv[1]
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
import compare, dataset, fuzz, golden

END, SEED, FUZZED = 1790000000, 1, 1500  # those of the recording
ABOUT = re.compile(r'\bnh_|job="native"')
# About other series, or with an answer that depends on the order in which the series came.
OTHERS = re.compile(r"\b((demo|edge|build|target|utf8)_|(limitk|limit_ratio|topk|bottomk)\b)")


def histogram(h):
    sides = [sorted(side.items()) for side in (h.pos, h.neg)]
    total = repr(h.sum)  # text, as JSON has no NaN
    return [h.schema, h.zero_threshold, h.zero, h.count, total, h.hint, list(h.custom), h.floats] + sides


def number(sample):
    return "stale" if sample == dataset.STALE else repr(dataset.struct.unpack("<d", sample)[0])


series = [s for s in dataset.generate(END, True, SEED) if s.part == "native" or s.labels["__name__"] == "up"]
out = []
for s in series:
    samples = [[ms, histogram(v) if isinstance(v, dataset.Hist) else number(v)] for ms, v in s.samples]
    out.append([s.labels, samples])
with lzma.open(os.path.join(folder, "golden-3.14.json.xz"), "rt") as file:
    answers = json.load(file)
cases = []
for path in compare.select_files([os.path.join(folder, "queries")], (3, 14), None, []):
    cases += compare.read_cases(path, END)
for valid, text in fuzz.generate(SEED, FUZZED, 3):
    if valid:
        cases.append(compare.Case("fuzz", compare.fill_in(text, END), "query", "query", True))
asked = {}
for case in cases:
    if case.kind != "query" or not ABOUT.search(case.text) or OTHERS.search(case.text):
        continue
    for _, path, params in compare.evaluations(case, END, False):
        if path != "/api/v1/query":
            continue
        found = answers.get(golden.key("GET", path + "?" + urllib.parse.urlencode(params), b""))
        answer = json.loads(found[2]) if found and found[0] == 200 else {"data": {}}
        if answer["data"].get("resultType") == "vector":
            asked[case.text, params["time"]] = answer["data"]["result"]
json.dump({"series": out, "cases": [[q, t, a] for (q, t), a in asked.items()]}, sys.stdout)
