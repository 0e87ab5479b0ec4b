"""Makes templates at random, and what jinja2 makes of them in the environment of Hugging Face's transformers: a line of JSON each.

    fuzz.py COUNT SEED > cases.jsonl

What has no one result is left out: addresses of objects, complex numbers, more memory or time than a template should take.
"""
import datetime
import json
import random
import re
import resource
import signal
import sys
import warnings

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

CLOCK = datetime.datetime(2026, 2, 3, 14, 5, 9)
DATA = {
    "name": "Ada", "n": 7, "f": 2.5, "neg": -3, "zero": 0, "big": 12345678901234567890, "small": 1e-7, "large": 1e22, "half": 0.5, "empty": "", "t": True, "no": False, "none_": None,
    "text": "The quick  brown fox", "lines": "one\ntwo\n\nthree\n", "crlf": "a\r\nb\rc\u2028d", "spaces": " \u00a0\t x \u3000\x1c", "html": "<a href=\"x\">'&'</a>",
    "uni": "ÄÖü ß 日本 ΑΣ ǆ ﬁ", "emoji": "a👩‍👩‍👧b😀", "quote": "it's \"q\" \\ \x00\x7f", "digits": " 42 ", "number": "3.75", "code": "{\"a\": [1, 2.0, null]}",
    "nums": [3, 1, 2, 5, 4], "words": ["pear", "Apple", "fig", "apple"], "nothing": [], "hollow": {}, "d": {"b": 1, "a": 2, "C": {"x": [1, 2, 3], "items": "own"}},
    "people": [{"name": "Bob", "age": 30, "city": "Bern"}, {"name": "Cid", "age": 25, "city": "Ulm"}, {"name": "Dot", "age": 30}],
    "pairs": [["x", 1], ["y", 2]], "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}], "floats": [1.5, -2.25, 0.1, 1e16],
    "tree": [{"v": "a", "kids": [{"v": "b", "kids": []}, {"v": "c", "kids": [{"v": "d", "kids": []}]}]}, {"v": "e", "kids": []}],
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi \n"}, {"role": "assistant", "content": "<think>\nx\n</think>\n\nHello", "tool_calls": [
        {"type": "function", "function": {"name": "f", "arguments": {"a": 1, "b": [True, None, 1.0]}}}]}, {"role": "user", "content": [{"type": "text", "text": "Bye"}, {"type": "image"}]}],
    "tools": [{"type": "function", "function": {"name": "f", "description": "Says \"f\" & <g>", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}}],
    "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>",
}
SKIPPED = re.compile(r"(?i)g.{0,4}e.{0,4}n.{0,4}e.{0,4}r.{0,4}[a-z].{0,4}t.{0,4}[a-z].{0,4}r|iter[a-z]tor obj| at 0x|<class '|<built-in|<bound method|<function|iterator object")

# What a generator is written as depends on where it lies; here it is before something asks for its length or letters.
WRITTEN = re.compile(r"\b(map|select|reject|selectattr|rejectattr|unique|batch|slice|items|reverse)(\([^|]*\))?\)?\s*\|\s*"
                     r"(upper|lower|title|capitalize|trim|replace|indent|e|escape|forceescape|safe|string|wordcount|truncate|center|striptags|urlencode|format)\b")


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("say"), [], [], body).set_lineno(line)

    def say(self, caller):
        return caller()


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class Namespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


def environment():
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(format):
        return CLOCK.strftime(format)

    made.filters["tojson"] = tojson
    made.globals.update(raise_exception=raise_exception, strftime_now=strftime_now, dict=Dict(), namespace=Namespace)
    return made


class Maker:
    """Makes one template. Names of variables are those of DATA, those it has set, and some that there are not."""

    def __init__(self, rng):
        self.rng = rng
        self.names = list(DATA)
        self.macros = []
        self.loops = 0

    def one(self, *choices):
        return self.rng.choice(choices)

    def chance(self, part):
        return self.rng.random() < part

    # Literals

    def string(self):
        body = self.one("a", "b", "x", "ab", " ", "", "A b-c", "é", "\\n", "a\\tb", "it\\'s", "😀", "\\u00e9", "\\x41", "%s", "%d|%5.2f", "{} {0}", "{}", "{:>5}|{!r}", "\n", "\\\\", "role", "name",
                        "<|im_end|>", "</think>", ",", "a,b,,c", "  x  ", "1", "12.5", "0x1f", "Hello WORLD", "ß", "\\d", "{{", "%}", "ﬁn", "1_0", "inf", "\u00a0", "-")
        quote = self.one("'", "\"")
        return quote + body + quote

    def integer(self):
        return self.one("0", "1", "2", "3", "4", "7", "-1", "10", "100", "-2", "1_000", "0x1f", "5", "12345678901234567890", "255")

    def real(self):
        return self.one("0.0", "1.0", "2.5", "0.1", "1e3", "1.5e-7", "3.14159", "-0.5", "1e16", "2.675", "123456789.125")

    def atom(self):
        return self.one(self.string, self.integer, self.real, lambda: self.one("true", "false", "none", "True", "None"), self.name, self.name, self.name, self.name)()

    def name(self):
        if self.chance(0.04):
            return self.one("missing", "undefined_thing", "loop", "self", "caller", "kwargs")
        return self.rng.choice(self.names)

    def known(self, *names):
        return self.rng.choice(names)

    # Expressions

    def expression(self, depth=3):
        if depth <= 0 or self.chance(0.15):
            return self.atom()
        return self.one(self.binary, self.binary, self.compare, self.logic, self.conditional, self.filtered, self.filtered, self.filtered, self.tested, self.access, self.access, self.method,
                        self.method, self.sliced, self.listed, self.mapped, self.called, self.unary, self.grouped, self.concatenated, self.formatted)(depth - 1)

    def text(self, depth):
        return self.one(self.string, lambda: self.known("name", "text", "lines", "html", "uni", "emoji", "crlf", "spaces", "quote", "empty", "digits", "number", "words[1]", "messages[0].content", "code"),
                        lambda: self.one("(", "") and "(" + self.concatenated(depth) + ")" or self.string(), self.string)()

    def sequence(self, depth):
        return self.one(lambda: self.known("nums", "words", "nothing", "people", "pairs", "mixed", "floats", "messages", "tree", "range(4)", "range(5, 0, -2)", "d", "text", "d.items()", "(1, 2, 3)", "d.C.x"),
                        lambda: self.listed(depth))()

    def number(self, depth):
        return self.one(self.integer, self.real, lambda: self.known("n", "f", "neg", "zero", "big", "half", "small", "large", "t", "nums[0]"), lambda: "(" + self.binary(depth) + ")" if depth > 0 else "3")()

    def grouped(self, depth):
        return "(" + self.expression(depth) + ")"

    def unary(self, depth):
        return self.one("-", "+", "not ", "- ") + self.one(lambda: self.atom(), lambda: self.number(depth))()

    def binary(self, depth):
        if self.chance(0.1):
            return self.number(0) + " ** " + self.one("2", "3", "0", "-1", "n", "2 ** 2")
        left, right = (self.number, self.number) if self.chance(0.6) else (self.text, self.text) if self.chance(0.5) else (self.expression, self.expression)
        return left(depth) + " " + self.one("+", "+", "-", "*", "/", "//", "%") + " " + right(depth)

    def concatenated(self, depth):
        return " ~ ".join(self.one(self.atom, lambda: self.text(depth - 1), lambda: self.grouped(depth - 1))() for _ in range(self.rng.randint(2, 3)))

    def compare(self, depth):
        chained = " " + self.one("<", "==") + " " + self.number(0) if self.chance(0.15) else ""
        sides = (self.number, self.number) if self.chance(0.4) else (self.text, self.text) if self.chance(0.4) else (self.expression, self.expression)
        if self.chance(0.3):
            return self.atom() + " " + self.one("in", "not in") + " " + self.one(self.sequence, self.text)(depth)
        return sides[0](depth) + " " + self.one("==", "!=", "<", "<=", ">", ">=") + " " + sides[1](depth) + chained

    def logic(self, depth):
        return self.expression(depth) + " " + self.one("and", "or") + " " + self.expression(depth)

    def conditional(self, depth):
        return self.expression(depth) + " if " + self.expression(depth) + (" else " + self.expression(depth) if self.chance(0.8) else "")

    def listed(self, depth):
        items = ", ".join(self.one(self.atom, lambda: self.expression(depth - 1))() for _ in range(self.rng.randint(0, 4)))
        return "[" + items + "]" if self.chance(0.8) else "(" + items + ("," if items else "") + ")"

    def mapped(self, depth):
        keys = [self.one(self.string, self.string, self.string, self.integer, lambda: "none", lambda: "1.0", lambda: "true", lambda: "(1, 2)", self.name)() for _ in range(self.rng.randint(0, 3))]
        return "{" + ", ".join(key + ": " + self.expression(depth - 1) for key in keys) + "}"

    def access(self, depth):
        of = self.one(lambda: self.known("d", "people[0]", "nums", "messages[1]", "messages[-1].content", "tree[0].kids", "pairs", "d.C", "mixed", "text", "tools[0].function", "hollow", "missing", "none_", "n"), self.name)()
        return of + "".join(self.one(".name", ".role", ".content", ".x", ".a", ".zz", "['a']", "[\"C\"]", "[0]", "[-1]", "[9]", ".0", "[n]", "['x']", "[true]", "[none]", "[1.0]", ".items", ".keys()", ".real",
                                     ".__class__", "['upper']", "[:2]", "[missing]", ".append") for _ in range(self.rng.randint(1, 2)))

    def sliced(self, depth):
        bound = lambda: self.one("", "", "0", "1", "2", "-1", "-2", "5", "n", "none", "100", "-100", "zero", "true")
        step = ":" + self.one("", "1", "2", "-1", "-2", "3", "0", "none") if self.chance(0.4) else ""
        return self.one(self.sequence, self.text, lambda d: self.known("emoji", "uni", "nums", "messages", "(1, 2, 3, 4)", "range(10)"))(depth) + "[" + bound() + ":" + bound() + step + "]"

    def method(self, depth):
        if self.chance(0.75):
            small = lambda: self.one("0", "1", "2", "3", "-1", "5", "12", "none", "n")
            string = lambda: self.string() if self.chance(0.8) else self.atom()
            name, arguments = self.rng.choice([
                ("upper", []), ("lower", []), ("title", []), ("capitalize", []), ("swapcase", []), ("strip", []), ("strip", [string]), ("lstrip", []), ("rstrip", [string]), ("split", []), ("split", [string]),
                ("split", [string, small]), ("rsplit", [string, small]), ("rsplit", [lambda: "none", small]), ("split", [lambda: "none", small]), ("splitlines", []), ("splitlines", [lambda: "true"]),
                ("partition", [string]), ("rpartition", [string]), ("replace", [string, string]), ("replace", [string, string, small]), ("startswith", [string]), ("endswith", [string]),
                ("startswith", [string, small]), ("endswith", [string, small, small]), ("find", [string]), ("rfind", [string, small]), ("find", [string, small, small]), ("index", [string]), ("count", [string]),
                ("count", [string, small]), ("join", [lambda: self.known("words", "nums", "nothing", "d", "text", "[\"x\"]", "pairs", "missing")]), ("center", [small]), ("center", [small, string]), ("ljust", [small]),
                ("rjust", [small, string]), ("zfill", [small]), ("removeprefix", [string]), ("removesuffix", [string]), ("expandtabs", [small]), ("isdigit", []), ("isalpha", []), ("isalnum", []),
                ("isspace", []), ("isupper", []), ("islower", []), ("istitle", []), ("isnumeric", []), ("isdecimal", []), ("isascii", []), ("isidentifier", []), ("isprintable", []), ("casefold", []),
                ("format", [self.atom]), ("format", [self.atom, self.atom]), ("startswith", [lambda: "('a', 'b')"]), ("zz", []), ("strip", [small])])
            return self.text(depth) + "." + name + "(" + ", ".join(each() for each in arguments) + ")"
        return self.one(lambda: "d.get(" + self.string() + self.one("", ", " + self.atom()) + ")", lambda: "d." + self.one("keys", "values", "items", "copy", "pop", "update") + "()",
                        lambda: self.known("nums", "words", "mixed", "(1, 2, 1)") + "." + self.one("index", "count", "append") + "(" + self.atom() + ")", lambda: "d.items() | list",
                        lambda: "dict.fromkeys(" + self.sequence(0) + ")", lambda: self.known("n", "big", "t") + "." + self.one("bit_length()", "real", "imag", "denominator"))()

    def called(self, depth):
        choices = [lambda: "range(" + ", ".join(self.one("0", "1", "3", "n", "-2", "5", "2.0", "'a'") for _ in range(self.rng.randint(0, 3))) + ")", lambda: "dict(" + self.one("", "a=1", "[['k', 2]]", "d, z=3", "pairs", "5") + ")",
                   lambda: "namespace(a=" + self.atom() + ").a", lambda: "strftime_now(" + self.one("'%Y-%m-%d'", "'%d %b %Y %H:%M'", "'%A, %B %-d; %j %p %%'", "'%c|%x|%X|%y|%U|%W|%w|%u|%I|%e'") + ")",
                   lambda: "cycler(1, 2).next()", lambda: self.name() + "()", lambda: "raise_exception(" + self.atom() + ")" if self.chance(0.1) else "n"]
        if self.macros:
            choices += [self.call_macro] * 4
        if self.loops:
            choices += [lambda: "loop." + self.one("index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem", "cycle('a', 'b')", "changed(n)", "zz")] * 5
        return self.one(*choices)()

    def call_macro(self):
        name, parameters = self.rng.choice(self.macros)
        given = [self.atom() for _ in range(self.rng.randint(0, parameters + (1 if self.chance(0.1) else 0)))]
        if self.chance(0.3):
            given.append(self.one("a", "b", "c", "zz") + "=" + self.atom())
        return name + "(" + ", ".join(given) + ")"

    def formatted(self, depth):
        value = self.one(self.atom, lambda: "(" + self.atom() + ", " + self.atom() + ")", lambda: "(" + self.atom() + ",)")()
        specification = "%" + self.one("", "-", "0", "+", " ", "#", "-05", "+08") + self.one("", "", "5", "10", "*") + self.one("", "", ".2", ".0", ".3") + self.one("d", "s", "r", "f", "e", "g", "x", "X", "o", "i", "%", "c", "G", "q")
        if self.chance(0.5):
            return "'" + specification + self.one("", "|%s", "%%") + "' % " + value
        brace = "{" + self.one("", "0", "a", "0[0]", "0.a") + self.one("", "!r", "!s") + self.one("", ":", ":>8", ":*^9", ":<6", ":05d", ":+.2f", ":,", ":_", ":x", ":#x", ":%", ":.3", ":e", ":g", ":10.3f", ":=+7", ":s", ":d", ":08,.1f", ":n") + "}"
        return "'" + brace + "'.format(" + self.atom() + self.one("", ", a=" + self.atom()) + ")"

    def filtered(self, depth):
        number = lambda: self.one("0", "1", "2", "3", "-1", "5")
        text = [("upper", ""), ("lower", ""), ("title", ""), ("capitalize", ""), ("trim", ""), ("trim", self.string()), ("length", ""), ("count", ""), ("replace", self.string() + ", " + self.string()),
                ("replace", self.string() + ", " + self.string() + ", " + number()), ("indent", ""), ("indent", number() + ", " + self.one("true", "false", "true, true")), ("indent", "width='> ', first=true"), ("escape", ""),
                ("e", ""), ("safe", ""), ("string", ""), ("int", ""), ("int", number()), ("int", "0, 16"), ("float", ""), ("float", "1.5"), ("wordcount", ""), ("truncate", self.one("5", "10, true", "8, false, '…'", "6, true, '', 0")),
                ("center", self.one("20", "3")), ("striptags", ""), ("urlencode", ""), ("list", ""), ("reverse", ""), ("first", ""), ("last", ""), ("format", self.atom()), ("forceescape", ""), ("tojson", "")]
        listed = [("join", ""), ("join", self.string()), ("join", "', ', attribute='name'"), ("length", ""), ("first", ""), ("last", ""), ("list", ""), ("sort", ""), ("sort", "reverse=true"), ("sort", "attribute='name'"),
                  ("sort", "attribute='age,name', reverse=" + self.one("true", "false")), ("sort", "case_sensitive=true"), ("unique", ""), ("unique", "true"), ("reverse", ""), ("sum", ""), ("sum", "attribute='age'"),
                  ("sum", "start=" + self.atom()), ("max", ""), ("min", ""), ("max", "attribute='age'"), ("map", "'upper'"), ("map", "attribute='name'"), ("map", "attribute='zz', default='?'"), ("map", "attribute=0"),
                  ("map", "'string'"), ("map", "'default', 'x'"), ("map", "'replace', 'a', 'b'"), ("map", "'zz'"), ("map", "'int'"), ("select", ""), ("select", "'odd'"), ("select", "'gt', 2"), ("select", "'string'"),
                  ("reject", "'none'"), ("reject", ""), ("selectattr", "'age'"), ("selectattr", "'name', 'equalto', 'Bob'"), ("selectattr", "'city', 'defined'"), ("rejectattr", "'role', 'in', ['user', 'system']"),
                  ("selectattr", "'function.name', '==', 'f'"), ("selectattr", "'zz', 'undefined'"), ("batch", "2"), ("batch", "3, 'z'"), ("slice", "2"), ("slice", "3, 0"), ("tojson", ""), ("tojson", "indent=" + self.one("2", "0", "none", "'-'")),
                  ("groupby", "'age'"), ("groupby", "'city', default='?'"), ("dictsort", ""), ("items", ""), ("count", "")]
        mapping = [("dictsort", ""), ("dictsort", "true"), ("dictsort", "by='value'"), ("dictsort", "reverse=true"), ("items", ""), ("length", ""), ("list", ""), ("tojson", ""), ("tojson", "indent=2, sort_keys=true"), ("first", ""),
                   ("tojson", "separators=(',', ':')"), ("tojson", "ensure_ascii=true"), ("xmlattr", ""), ("attr", "'a'"), ("string", ""), ("urlencode", ""), ("map", "'upper'")]
        numeric = [("abs", ""), ("round", ""), ("round", number()), ("round", number() + ", " + self.one("'ceil'", "'floor'", "'common'")), ("int", ""), ("float", ""), ("string", ""), ("tojson", ""), ("filesizeformat", ""),
                   ("filesizeformat", "true"), ("default", self.atom()), ("length", "")]
        general = [("default", self.atom()), ("default", self.atom() + ", true"), ("d", self.string()), ("string", ""), ("tojson", ""), ("upper", ""), ("trim", ""), ("int", ""), ("list", ""), ("first", ""), ("length", ""), ("abs", ""),
                   ("join", self.string()), ("items", ""), ("zz", "") if self.chance(0.05) else ("default", "")]
        operand, filters = self.rng.choice([(self.text, text), (self.sequence, listed), (lambda d: self.known("d", "people[0]", "hollow", "tools[0]", "d.C"), mapping), (self.number, numeric), (self.expression, general)])
        written = operand(depth)
        if " " in written and self.chance(0.8):
            written = "(" + written + ")"
        for _ in range(1 if self.chance(0.7) else 2):
            name, arguments = self.rng.choice(filters)
            written += self.one(" | ", "|") + name + ("(" + arguments + ")" if arguments or self.chance(0.1) else "")
            filters = general + text if self.chance(0.5) else listed
        if self.chance(0.6) and re.search(r"\b(map|select|reject|selectattr|rejectattr|batch|slice|unique|items|reverse)(\(.*)?$", written):
            written += self.one(" | list", " | join(',')", " | first", " | list | length", " | list | tojson")
        return written

    def tested(self, depth):
        name = self.one("defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "mapping", "sequence", "iterable", "callable", "odd", "even", "lower", "upper", "true", "false", "escaped",
                        "divisibleby 2", "divisibleby(3)", "eq 1", "equalto 'a'", "ne(n)", "lt 3", "gt 'a'", "ge 2.0", "in [1, 'a']", "in 'abc'", "sameas none", "sameas true", "filter", "test", "le 3")
        return self.one(self.atom, lambda: self.access(0), lambda: self.grouped(depth))() + " is " + self.one("", "", "not ") + name

    # Statements

    def space(self):
        return self.one("", "", " ", "\n", "  \n", "\n  ", "\n\n", "\t", "x", " a b\n", "\r\n", "é ", "\u00a0")

    def tag(self, body, begin="{%", end="%}"):
        return begin + self.one("", "", "", "-", "+" if begin == "{%" else "") + self.one(" ", " ", "", "\n ") + body + self.one(" ", " ", "\n") + self.one("", "", "", "-", "+" if begin == "{%" else "") + end

    def statements(self, depth, most=4):
        return "".join(self.space() + self.statement(depth) for _ in range(self.rng.randint(1, most))) + self.space()

    def statement(self, depth):
        if depth <= 0 or self.chance(0.45):
            return self.tag(self.expression(), "{{", "}}")
        return self.one(self.choice, self.choice, self.loop, self.loop, self.loop, self.set, self.set, self.set_block, self.macro, self.call, self.filter_block, self.with_, self.raw, self.comment, self.generation,
                        self.namespace, self.recursive, self.leave, self.escape if self.chance(0.3) else self.set, self.block if self.chance(0.3) else self.choice)(depth - 1)

    def choice(self, depth):
        out = self.tag("if " + self.expression()) + self.statements(depth, 2)
        if self.chance(0.3):
            out += self.tag("elif " + self.expression()) + self.statements(depth, 2)
        if self.chance(0.4):
            out += self.tag("else") + self.statements(depth, 2)
        return out + self.tag("endif")

    def loop(self, depth):
        target, over = self.rng.choice([("x", self.sequence(1)), ("x", self.expression(1)), ("m", "messages"), ("k, v", self.one("d.items()", "pairs", "d | dictsort", "people | groupby('age')", "mixed")), ("p", "people"), ("c", self.text(0)),
                                        ("a, (b, c)", "[[1, [2, 3]]]"), ("x", "range(" + self.one("3", "0", "n") + ")"), ("x", self.sequence(0) + " | " + self.one("reverse", "list", "select", "map('string')", "batch(2)"))])
        names = re.findall(r"\w+", target)
        condition = self.one("", "", "", " if " + self.one(names[0], "loop is defined", names[0] + " is defined", self.expression(1)))
        outer = list(self.names)
        self.names += names * 3
        self.loops += 1
        out = self.tag("for " + target + " in " + over + condition) + self.statements(depth, 3)
        self.loops -= 1
        self.names = outer
        if self.chance(0.2):
            out += self.tag("else") + self.statements(depth, 1)
        return out + self.tag("endfor")

    def recursive(self, depth):
        return self.tag("for i in tree recursive") + "{{ i.v }}" + self.statements(0, 1) + self.one("{{ loop(i.kids) }}", "{% if i.kids %}[{{ loop(i.kids) }}]{% endif %}", "{{ loop.depth }}{{ loop(i.kids) | upper }}") + self.tag("endfor")

    def leave(self, depth):
        return self.tag("if " + self.expression(1)) + self.tag(self.one("break", "continue")) + self.tag("endif") if self.loops else self.tag(self.expression(), "{{", "}}")

    def set(self, depth):
        if self.chance(0.15):
            self.names += ["u", "v"]
            return self.tag("set u, v = " + self.one(self.expression(1) + ", " + self.expression(1), "pairs[0]", "nums[:2]", self.expression(1)))
        name = self.one("s", "r", "q", "name", "n")
        written = self.tag("set " + name + " = " + self.expression())
        self.names += [name]
        return written

    def set_block(self, depth):
        written = self.tag("set s" + self.one("", "", " | upper", " | trim", " | replace('a', 'b')")) + self.statements(depth, 2) + self.tag("endset")
        self.names += ["s"]
        return written

    def namespace(self, depth):
        return self.tag("set ns = namespace(a=" + self.atom() + ", b=0)") + self.tag("for x in " + self.sequence(0)) + self.tag("set ns." + self.one("a", "b", "c") + " = " + self.one("ns.b + 1", "ns.a ~ x", "loop.index", self.expression(1))) + self.tag(
            "endfor") + "{{ ns.a }}|{{ ns.b }}|{{ ns.c }}"

    def macro(self, depth):
        name = self.one("f", "g", "h")
        signature = self.one("", "a", "a, b", "a, b=1", "a='x', b=a", "a, b='y', c=none")
        outer, loops = list(self.names), self.loops
        self.names += re.findall(r"\b[abc]\b", signature) * 3
        self.loops = 0
        written = self.tag("macro " + name + "(" + signature + ")") + self.statements(depth, 2) + self.one("", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}", "{{ caller(1, 'z') if caller }}") + self.tag("endmacro")
        self.names, self.loops = outer, loops
        self.macros.append((name, signature.count(",") + (1 if signature else 0)))
        return written + ("{{ " + self.call_macro() + " }}" if self.chance(0.7) else "")

    def call(self, depth):
        if not self.macros:
            return self.macro(depth)
        loops, self.loops = self.loops, 0
        written = self.tag(self.one("call ", "call(a) ", "call(a, b='d') ") + self.call_macro()) + self.statements(depth, 2) + self.tag("endcall")
        self.loops = loops
        return written

    def filter_block(self, depth):
        return self.tag("filter " + self.one("upper", "trim", "replace('a', 'o')", "indent(2)", "lower | title", "escape")) + self.statements(depth, 2) + self.tag("endfilter")

    def with_(self, depth):
        outer = list(self.names)
        self.names += ["w"] * 3
        written = self.tag("with w = " + self.expression(1) + self.one("", ", z = w", ", z = 2")) + self.statements(depth, 2) + self.tag("endwith")
        self.names = outer
        return written

    def raw(self, depth):
        return self.tag("raw").replace("+%}", "%}") + self.one("{{ x }}", "{% if %}\n", " {# #} ", "  a\n") + self.tag("endraw")

    def comment(self, depth):
        return self.tag(self.one("c", " {{ x }} ", "", "# }", "a\nb"), "{#", "#}")

    def generation(self, depth):
        loops, self.loops = self.loops, 0
        written = self.tag("generation") + self.statements(depth, 2) + self.tag("endgeneration")
        self.loops = loops
        return written

    def escape(self, depth):
        return self.tag("autoescape " + self.one("true", "false")) + self.statements(depth, 2) + self.tag("endautoescape")

    def block(self, depth):
        loops, self.loops = self.loops, 0
        name = "b%d" % self.rng.randint(0, 10**6)
        written = self.tag("block " + name) + self.statements(depth, 2) + self.tag("endblock")
        self.loops = loops
        return written + ("{{ self." + name + "() }}" if self.chance(0.3) else "")

    def template(self):
        written = self.statements(3, 4)
        if self.chance(0.12):  # some that are no templates
            for _ in range(self.rng.randint(1, 2)):
                at = self.rng.randrange(len(written))
                piece = self.one("{", "}", "%", "'", "(", ")", "[", "-", "|", ".", "{{", "%}", "{% else %}", "{% endif %}", "~", "=", " if ", "!", ":", "#}", "\\", ",")
                written = written[:at] + (piece if self.chance(0.5) else "") + written[at + self.rng.randint(0, 2):]
        return written


class TooLong(BaseException):
    """A template takes more time than it should."""


def stop(*ignored):
    raise TooLong()


def outcome(made, template):
    """The text, or the error's class and message; None for what is left out."""
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        text = made.from_string(template).render(**json.loads(json.dumps(DATA)))
        result = {"text": text}
    except (MemoryError, RecursionError, TooLong):
        return None
    except Exception as error:
        result = {"error": type(error).__name__, "message": str(error)}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if result.get("error") == "NameError" or "<locals>.t_" in result.get("message", "") or WRITTEN.search(template):
        return None  # jinja2 writes infinity into its Python as a name; what it puts in the place of an unknown filter takes no named arguments
    return None if SKIPPED.search(result.get("text", "")) or len(result.get("text", "")) > 100_000 else result


def main():
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    made = environment()
    print(json.dumps({"clock": CLOCK.isoformat(), "data": DATA}))
    written = left = 0
    while written < count:
        template = Maker(random.Random(seed * 10**9 + written + left)).template()
        result = outcome(made, template)
        if result is None:
            left += 1
            continue
        try:
            line = json.dumps({"template": template, **result}, ensure_ascii=False)
            line.encode("utf-8")
        except UnicodeEncodeError:
            line = json.dumps({"template": template, **result})
        print(line)
        written += 1
    print("fuzz.py: %d templates, %d left out, seed %d" % (written, left, seed), file=sys.stderr)


if __name__ == "__main__":
    main()
