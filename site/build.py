#!/usr/bin/env python3
"""The site, from the documents of the repository: `site/build.py` writes target/site/book.

Pages keep the paths that they have in the repository, so that links among them lead to the same
places here and there; what is no page is a link to the repository. Only python3 and mdBook are needed.
"""

import html
import re
import shutil
import subprocess
import sys
from pathlib import Path
from posixpath import dirname, join, normpath

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "target" / "site"
SITE = ROOT / "site"
REPOSITORY = re.search(r'(?m)^repository = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]

# The order of the pages, and what they are called in the list of them. What is not named here is in the last part.
PARTS = [
    ("Getting started", [
        ("docs/start/flux.md", "Flux"),
        ("docs/start/argo-cd.md", "Argo CD"),
        ("docs/start/kustomize.md", "kustomize"),
        ("docs/start/helmfile.md", "Helmfile"),
        ("docs/start/terraform.md", "Terraform"),
        ("docs/start/kubeadm.md", "kubeadm"),
        ("docs/start/talos.md", "Talos"),
    ]),
    ("Using it", [
        ("docs/usage.md", "check"),
        ("docs/show.md", "show"),
        ("docs/diff.md", "diff"),
        ("docs/render.md", "render"),
        ("docs/fixes.md", "Fixes"),
        ("docs/editors.md", "In an editor"),
        ("docs/configuration.md", "The configuration"),
        ("docs/adoption.md", "Beginning with old findings"),
        ("docs/how-it-decides.md", "How it decides"),
        ("docs/comparison.md", "Compared with other tools"),
    ]),
    ("In CI", [
        ("docs/ci.md", "Recipes"),
        ("docs/action.md", "The GitHub Action"),
        ("docs/formats.md", "Formats"),
        ("docs/json.md", "The JSON forms"),
    ]),
    ("What is found", [
        ("docs/failure-modes.md", "Failure modes"),
        ("docs/rules.md", "The rules"),
    ]),
    ("The project", [
        ("CHANGELOG.md", "Changes"),
        ("SECURITY.md", "Security"),
        ("CONTRIBUTING.md", "Contributing"),
        ("CODE_OF_CONDUCT.md", "Conduct"),
        ("ARCHITECTURE.md", "Architecture"),
        ("docs/performance.md", "Performance"),
        ("rules/README.md", "The page of a rule"),
    ]),
]
FIRST = "README.md"
RULES = "docs/rules.md"


def pages():
    """The paths of all pages, relative to the repository."""
    named = [path for _, part in PARTS for path, _ in part]
    found = [str(it.relative_to(ROOT)) for folder in ["docs", "rules"] for it in (ROOT / folder).rglob("*.md")]
    return [FIRST, *dict.fromkeys(it for it in [*named, *sorted(found)] if (ROOT / it).exists())]


def is_rule(path):
    return path.startswith("rules/") and path != "rules/README.md"


def front_matter(text):
    """What stands between the `---` lines, each a list or a text, and the rest."""
    if not text.startswith("---\n"):
        return {}, text
    head, body = text[4:].split("\n---\n", 1)
    facts, name = {}, ""
    for line in head.splitlines():
        item = re.fullmatch(r"\s+- (.*)", line)
        if item:
            facts.setdefault(name, []).append(item[1])
            continue
        name, value = line.split(":", 1)
        value = value.split(" #")[0].strip()
        if value.startswith("["):
            facts[name] = [it.strip() for it in value.strip("[]").split(",") if it.strip()]
        elif value:
            facts[name] = value.strip('"')
    return facts, body


MARK = re.compile(r"#( *)(\^+|~+)( .*)?")


def block(language, lines):
    """A file of an example, as HTML: the comments that mark a place show it."""
    out = []
    for line in lines:
        mark = MARK.fullmatch(line)
        if not mark:
            out.append(html.escape(line, quote=False))
            continue
        words = (mark[3] or "").strip()
        kind = re.match(r"(error|warning|note|pedantic): ", words)
        kind = f"mark is-{kind[1]}" if kind else "mark"
        text = html.escape(f"{mark[2]} {words}".rstrip(), quote=False)
        out.append(f' {mark[1]}<span class="{kind}">{text}</span>')
    text = "\n".join(out)
    return f'<pre><code class="language-{language}">{text}\n</code></pre>'


def blocks(text):
    """`text` in pieces: prose, and the lines of each fenced block with those of its fences."""
    prose, fence, inside = [], "", []
    for line in text.splitlines():
        opened = re.match(r" *(`{3,})", line)
        if fence:
            inside.append(line)
            if opened and line.strip() == fence:
                yield True, inside
                fence, inside = "", []
        elif opened:
            if prose:
                yield False, prose
            prose, fence, inside = [], opened[1], [line]
        else:
            prose.append(line)
    if prose or inside:
        yield bool(inside), prose or inside


LINK = re.compile(r"(`+)[^`].*?\1|\]\(<?([^)\s>]+)>?\)", re.S)


def linked(path, text, known):
    """Prose whose links to what is no page lead to the repository."""

    def changed(found):
        target = found[2]
        if not target or "://" in target or target.startswith(("#", "mailto:")):
            return found[0]
        file, _, fragment = target.partition("#")
        file = normpath(join(dirname(path), file))
        if file in known:
            # mdBook makes an index of a README, and leaves links to it as they are.
            return re.sub(r"README\.md\b", "index.md", found[0])
        if file.endswith(".svg"):
            return found[0]
        kind = "tree" if (ROOT / file).is_dir() else "blob"
        return f"]({REPOSITORY}/{kind}/main/{file}{'#' + fragment if fragment else ''})"

    return LINK.sub(changed, text)


HOW_TO_READ = """## Examples

Each of them is a small repository, and what is said of it: `^^^^` is under the place to edit, `~~~~` under every
other place that matters. Where nothing is marked, nothing is found. They are the tests of this rule.
"""


def rule_page(path, text):
    """The page of a rule as a reader of the web expects it."""
    facts, body = front_matter(text)
    title, body = re.match(r"\s*# (.*)\n((?:.|\n)*)", body).groups()
    line = [f"**{facts['severity']}**", facts["category"], f"{facts['confidence']} confidence"]
    if facts.get("pedantic") == "true":
        line.append("shown with `--pedantic`")
    line.append(f"since {facts['since']}")
    if facts.get("aliases"):
        line.append("formerly " + ", ".join(f"`{it}`" for it in facts["aliases"]))
    line = " · ".join(line)
    sections = re.split(r"(?m)^(?=## )", body.strip() + "\n")
    at = next((at for at, it in enumerate(sections) if re.search(r"(?m)^```\w+ file=", it)), len(sections))
    prose, examples = sections[:at], sections[at:]
    if facts.get("references"):
        prose.append("## Read more\n\n" + "".join(f"- <{it}>\n" for it in facts["references"]) + "\n")
    examples = ["#" + it for it in examples]
    if examples:
        examples.insert(0, HOW_TO_READ + "\n")
    # The search prefers titles, and people look for the name.
    return f"# {Path(path).stem}: {title}\n\n{line}\n\n" + "".join(prose + examples)


RULE = re.compile(r"(?<![\[`])`([a-z0-9-]+)`(?![\]`])")


def named(path, text, known):
    """The text of a rule whose names of other rules are links to their pages."""

    def changed(found):
        other = f"rules/{found[1]}.md"
        return f"[{found[0]}]({found[1]}.md)" if other in known and other != path else found[0]

    return RULE.sub(changed, text)


def page(path, known):
    text = (ROOT / path).read_text()
    if is_rule(path):
        text = rule_page(path, text)
    # A table that site.css makes narrower on a phone.
    text = text.replace("<!-- rules -->\n", '<div class="rules">\n\n').replace("<!-- /rules -->", "\n</div>")
    out = []
    for fenced, lines in blocks(text):
        file = re.fullmatch(r"```(\w+) (file|fixed)=(\S+)", lines[0]) if fenced else None
        if file:
            out.append(f'<p class="file"><code>{html.escape(file[3])}</code></p>\n')
            out.append(block(file[1], lines[1:-1]))
        elif fenced:
            out.extend(lines)
        else:
            prose = linked(path, "\n".join(lines), known)
            out.append(named(path, prose, known) if is_rule(path) else prose)
    return "\n".join(out) + "\n"


def summary(known):
    out = [f"# Summary\n\n[metrics-server-lint]({FIRST})\n"]
    listed = {path for _, part in PARTS for path, _ in part}
    if gone := listed - set(known):
        sys.exit(f"PARTS lists what is not there: {', '.join(sorted(gone))}")
    rest = [it for it in known if it not in listed and it != FIRST and not is_rule(it)]
    for name, part in PARTS:
        if name == PARTS[-1][0]:
            part = [*part, *((it, re.search(r"(?m)^# (.*)", (ROOT / it).read_text())[1]) for it in rest)]
        out.append(f"# {name}\n")
        for path, title in part:
            out.append(f"- [{title}]({path})")
            if path == RULES:
                out.extend(f"  - [{Path(it).stem}]({it})" for it in known if is_rule(it))
        out.append("")
    return "\n".join(out)


def redirects(known):
    """A rule's former names lead to its page."""
    out = []
    for path in filter(is_rule, known):
        for alias in front_matter((ROOT / path).read_text())[0].get("aliases", []):
            out.append(f'"/rules/{alias}.html" = "{Path(path).stem}.html"')
    return "\n[output.html.redirect]\n" + "\n".join(out) + "\n" if out else ""


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    known = pages()
    for path in known:
        to = OUT / "src" / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(page(path, known))
    for picture in (ROOT / "docs").rglob("*.svg"):
        shutil.copy(picture, OUT / "src" / picture.relative_to(ROOT))
    (OUT / "src" / "SUMMARY.md").write_text(summary(known))
    # mdBook wants this page at the top.
    missing = (SITE / "404.md").read_text().replace("](../", "](")
    (OUT / "src" / "404.md").write_text(missing)
    shutil.copy(SITE / "site.css", OUT)
    shutil.copytree(SITE / "theme", OUT / "theme")
    (OUT / "book.toml").write_text((SITE / "book.toml").read_text() + redirects(known))
    if not shutil.which("mdbook"):
        sys.exit("there is no mdbook: .ci/tools installs it and says where, and so does `cargo install mdbook`")
    run = subprocess.run(["mdbook", "build", str(OUT)], capture_output=True, text=True)
    said = run.stdout + run.stderr
    if run.returncode or re.search(r"\b(WARN|ERROR)\b", said):
        sys.exit(said)
    for file in (OUT / "book").rglob("*.html"):
        text = file.read_text()
        file.write_text(text.replace("/edit/main/src/", "/edit/main/"))
    print(f"{len(known)} pages in {OUT.relative_to(ROOT) / 'book'}")


if __name__ == "__main__":
    main()
