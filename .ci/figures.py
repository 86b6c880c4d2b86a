#!/usr/bin/env python3
"""Prints figures of the code at a commit: sizes, circles between files, and arrows between crates.

    .ci/figures.py            of HEAD
    .ci/figures.py 48a61f9    of another commit
    .ci/figures.py A B        of both, side by side

Reads what is committed, needs nothing but git. Tests and tables of messages count as lines, not as files or functions.

A circle is a set of files of one crate each of which needs an item that another one of it defines, by whatever way.
Names are followed through `pub use` to the file that defines them; `mod` lines and tests are left out, and so is an
`impl` block in another file than its type. What a file needs of the file that opens its folder is left out too: the
folder is one thing, and that file is its door.
"""

import re
import subprocess
import sys
from collections import defaultdict

LAYERS = [
    ["core", "local-aws", "text-encoder"],
    ["aws", "text-model", "text-import"],
    ["a2i-trigger", "batch-feedback", "classify", "feedback-api", "human-review", "label-collection",
     "model-building", "review-events", "text-classifier", "training-data"],
    ["erasure", "local-stack"],
    ["cli", "fuzz", "guide"],
]
ITEM = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:default\s+|const\s+|async\s+|unsafe\s+)*"
    r"(?:fn|struct|enum|trait|type|union|static|const|macro_rules!)\s+(?:mut\s+)?(\w+)")
FUNCTION = re.compile(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const )?(?:async )?(?:unsafe )?fn (\w+)")
PATH = re.compile(r"\b((?:crate|super|self)(?:::\w+)+)")


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def is_test(path):
    return bool(re.search(r"/(tests|benches|examples|e2e)/", path)) or path.endswith(("/tests.rs", "_tests.rs"))


def without_tests(text):
    """Drops what follows `#[cfg(test)]` of a module of tests, and comments."""
    text = re.split(r"(?m)^#\[cfg\(test\)\]\n(?:pub(?:\([^)]*\))? )?mod \w+ \{", text)[0]
    text = re.sub(r"(?m)^#\[cfg\(test\)\]\n(?:pub(?:\([^)]*\))? )?(?:mod|use) [^;]*;", "", text)
    return re.sub(r"//[^\n]*", "", text)


def uses(tree, prefix=()):
    """Yields the paths of a `use` tree with their names, `*` for all."""
    tree = tree.strip()
    brace = tree.find("{")
    if brace < 0:
        path, _, name = tree.partition(" as ")
        parts = [*prefix, *path.strip().split("::")]
        if parts[-1] == "self":
            parts.pop()
        yield parts, (name.strip() or parts[-1])
        return
    head = [part for part in tree[:brace].strip().rstrip(":").split("::") if part]
    depth, start, body = 0, 0, tree[brace + 1:tree.rindex("}")]
    for at, character in enumerate(body + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            if body[start:at].strip():
                yield from uses(body[start:at], (*prefix, *head))
            start = at + 1


class Crate:
    """The modules of a crate, and which needs which."""

    def __init__(self, files):
        self.text = {}
        for path, text in files.items():
            inner = path.split("/src/", 1)[1][:-3].split("/")
            if inner[-1] in ("mod", "lib", "main"):
                inner.pop()
            self.text[tuple(inner)] = without_tests(text)
        self.items = {module: self.defined(text) for module, text in self.text.items()}
        self.exported = {module: self.re_exported(module) for module in self.text}

    @staticmethod
    def defined(text):
        depth, names = 0, set()
        for line in text.split("\n"):
            found = ITEM.match(line)
            if found and not line.startswith(" "):
                names.add(found.group(1))
        return names

    def statements(self, module):
        for found in re.finditer(r"(?ms)^( *)(pub(?:\([^)]*\))? )?use ([^;]*);", self.text[module]):
            for path, name in uses(re.sub(r"\s+", " ", found.group(3))):
                yield path, name, bool(found.group(2))

    def re_exported(self, module):
        exported = {}
        for path, name, _ in self.statements(module):
            exported.setdefault(name, []).append(path)
        return exported

    def absolute(self, module, path):
        """Returns a path of a module from the root of the crate; nothing if it is of another crate."""
        parts = list(path)
        if parts[0] == "crate":
            return parts[1:]
        if parts[0] not in ("self", "super"):
            return [*module, *parts] if (*module, parts[0]) in self.text else None
        at = list(module)
        while parts and parts[0] in ("self", "super"):
            if parts.pop(0) == "super":
                if not at:
                    return None
                at.pop()
        return [*at, *parts]

    def definer(self, path, seen=()):
        """Returns the modules that define what a path from the root names."""
        module, rest = (), list(path)
        while rest and (*module, rest[0]) in self.text:
            module, rest = (*module, rest[0]), rest[1:]
        if (module, tuple(rest)) in seen:
            return set()
        if not rest:
            return {module}
        name, seen = rest[0], (*seen, (module, tuple(rest)))
        if name in self.items.get(module, ()):
            return {module}
        found = set()
        for target in self.exported.get(module, {}).get(name, []) + self.exported.get(module, {}).get("*", []):
            absolute = self.absolute(module, target)
            if absolute is not None:
                absolute = absolute[:-1] + [name] if absolute and absolute[-1] == "*" else absolute
                found |= self.definer(absolute, seen)
        return found

    def needs(self):
        """Returns for each module the modules of which it needs an item."""
        graph = defaultdict(set)
        for module, text in self.text.items():
            paths = [path for path, _, is_public in self.statements(module) if not is_public]
            body = re.sub(r"(?ms)^ *(pub(?:\([^)]*\))? )?use [^;]*;", "", text)
            paths += [found.split("::") for found in PATH.findall(body)]
            names = {found for found in re.findall(r"\b(\w+)::", body)}
            paths += [list(found) for found in
                      ((name, item) for name in names if (*module, name) in self.text
                       for item in re.findall(rf"\b{name}::(\w+)", body))]
            imported = {name: path for path, name, _ in self.statements(module)}
            for path in list(paths):
                absolute = self.absolute(module, path)
                # A module that is imported is needed for what is named by it.
                if absolute is not None and tuple(absolute) in self.text:
                    name = next((name for name, it in imported.items() if it == path), None)
                    paths.remove(path)
                    if name:
                        paths += [[*path, item] for item in re.findall(rf"\b{name}::(\w+)", body)]
            for path in paths:
                absolute = self.absolute(module, path)
                if absolute is not None:
                    graph[module] |= {other for other in self.definer(absolute) if module[:len(other)] != other}
        return graph


def circles(graph):
    """Returns the strongly connected components of more than one node (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    sys.setrecursionlimit(10_000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def functions(text):
    """Yields the functions of a file with the numbers of their lines, without tests."""
    lines = without_tests(text).split("\n")
    for start, line in enumerate(lines):
        found = FUNCTION.match(line)
        if not found:
            continue
        for end in range(start, len(lines)):
            # The end of a function is a brace as far in as it; a signature alone has none.
            if lines[end] == found.group(1) + "}" or (end == start and line.rstrip().endswith(("}", ";"))):
                yield found.group(2), end - start + 1
                break


def is_table(text, name):
    """Returns whether a function is one match of texts, as the portal's messages are."""
    body = text.split(f"fn {name}", 1)[1].split("\n}", 1)[0].split("\n    }\n", 1)[0]
    statements = [line for line in body.split("\n") if re.match(r"\s+(let|if|for|while|loop)\b", line)]
    return not statements and body.count("=>") >= 8 and body.count('"') >= 16


def arrows(commit):
    names, found = {}, []
    manifests = [path for path in git("ls-tree", "-r", "--name-only", commit, "crates").split()
                 if re.fullmatch(r"crates/[^/]+/Cargo.toml", path)]
    texts = {path.split("/")[1]: git("show", f"{commit}:{path}") for path in manifests}
    for folder, text in texts.items():
        names[re.search(r'(?m)^name = "([^"]+)"', text).group(1)] = folder
    for folder, text in texts.items():
        section = re.search(r"(?ms)^\[dependencies\]\n(.*?)(?=^\[|\Z)", text)
        for dependency in re.findall(r"(?m)^([\w-]+)", section.group(1) if section else ""):
            if dependency in names:
                found.append((folder, names[dependency]))
    layer = {crate: number for number, crates in enumerate(LAYERS) for crate in crates}
    unknown = sorted({crate for arrow in found for crate in arrow if crate not in layer})
    if unknown:
        sys.exit(f"no layer is known of: {', '.join(unknown)}")
    upward = [f"{a} -> {b}" for a, b in found if layer[b] > layer[a] or (layer[a] == layer[b] and a != b)]
    return len(found), upward


def longest_paragraph(commit):
    text = re.sub(r"(?s)```.*?```", "", git("show", f"{commit}:README.md"))
    paragraphs = [p for p in re.split(r"\n\s*\n|\n(?=[-*] )", text) if not p.lstrip().startswith("|")]
    return max(len(paragraph.split()) for paragraph in paragraphs)


def figures(commit):
    """Returns names with values of everything that is counted at a commit."""
    paths = [path for path in git("ls-tree", "-r", "--name-only", commit, "crates").split("\n") if path.endswith(".rs")]
    texts = read_all(commit, paths)
    lines, crates = defaultdict(lambda: [0, 0]), defaultdict(dict)
    files, longest, tables = [], [], []
    for path, text in texts.items():
        crate = path.split("/")[1]
        count = text.count("\n")
        is_source = "/src/" in path and not is_test(path)
        lines[crate][0 if is_source else 1] += count
        if not is_source:
            continue
        crates[crate][path] = text
        files.append((count, path.removeprefix("crates/")))
        for name, size in functions(text):
            entry = (size, f"{path.removeprefix('crates/')} {name}")
            (tables if size > 60 and is_table(text, name) else longest).append(entry)

    found = []
    for crate, sources in sorted(crates.items()):
        for circle in circles(Crate(sources).needs()):
            found.append(f"{crate}: " + " <-> ".join("::".join(module) or "lib" for module in circle))
    number_of_arrows, upward = arrows(commit)
    total = [sum(both[at] for both in lines.values()) for at in (0, 1)]
    result = {f"lines of {crate} (and of its tests)": f"{both[0]:,} ({both[1]:,})"
              for crate, both in sorted(lines.items())}
    result |= {
        "lines in all (and of tests)": f"{total[0]:,} ({total[1]:,})",
        "circles between files": str(len(found)),
        "files above 400 lines": str(sum(count > 400 for count, _ in files)),
        "largest file": "{} ({})".format(*reversed(max(files))),
        "functions above 60 lines": str(sum(count > 60 for count, _ in longest)),
        "largest function": "{} ({})".format(*reversed(max(longest))),
        "longest paragraph of the README, in words": str(longest_paragraph(commit)),
        "arrows between crates (upward)": f"{number_of_arrows} ({len(upward)})",
    }
    return result, found, upward


def read_all(commit, paths):
    """Reads many files at once."""
    batch = "".join(f"{commit}:{path}\n" for path in paths).encode()
    output = subprocess.run(["git", "cat-file", "--batch"], input=batch, check=True, capture_output=True).stdout
    texts, at = {}, 0
    for path in paths:
        end = output.index(b"\n", at)
        size = int(output[at:end].split()[2])
        texts[path] = output[end + 1:end + 1 + size].decode()
        at = end + size + 2
    return texts


def main():
    commits = sys.argv[1:] or ["HEAD"]
    all_figures = [figures(commit) for commit in commits]
    names = list(dict.fromkeys(name for result, _, _ in all_figures for name in result))
    names.sort(key=lambda name: not name.startswith("lines of"))
    heads = [f"`{git('rev-parse', '--short', commit).strip()}`" for commit in commits]
    print(f"| | {' | '.join(heads)} |")
    print(f"|---|{'---|' * len(commits)}")
    for name in names:
        print(f"| {name} | {' | '.join(result.get(name, '–') for result, _, _ in all_figures)} |")
    for commit, (_, found, upward) in zip(commits, all_figures):
        for circle in found:
            print(f"\ncircle at {commit}: {circle}")
        for arrow in upward:
            print(f"\narrow upward at {commit}: {arrow}")


if __name__ == "__main__":
    main()
