#!/usr/bin/env python3
"""tools/measure_style.py on small trees: each figure where its answer can be counted by hand."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))

import cpp_source        # noqa: E402

cpp_source.ensure_parser()

import measure_style     # noqa: E402


def figures(files):
    """name -> Figure of a tree with these files."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        return {figure.name: figure for figure in measure_style.measure(root)}


class Cycles(unittest.TestCase):
    def test_a_source_that_includes_its_user_is_a_circle_of_units_but_not_of_files(self):
        found = figures({"common/base/a.h": "", "common/base/a.cc": '#include "common/base/b.h"\n', "common/base/b.h": '#include "common/base/a.h"\n'})
        self.assertEqual(found["header+source cycles without a reason"].worst, ["common/base/a <> common/base/b"])
        self.assertFalse(found["header+source cycles without a reason"].holds)
        self.assertTrue(found["folder cycles"].holds)

    def test_folders_in_a_circle_whose_files_are_in_none(self):
        found = figures({"common/base/a.h": '#include "common/fs/a.h"\n', "common/fs/a.h": "", "common/fs/b.h": '#include "common/base/b.h"\n', "common/base/b.h": ""})
        self.assertEqual(found["folder cycles"].worst, ["common/base <> common/fs"])
        self.assertTrue(found["header+source cycles without a reason"].holds)

    def test_tests_do_not_count(self):
        found = figures({"common/base/a.h": "", "tests/fakes/x.h": '#include "tests/fakes/y.h"\n', "tests/fakes/y.h": '#include "tests/fakes/x.h"\n'})
        self.assertTrue(found["header+source cycles without a reason"].holds)


class Shape(unittest.TestCase):
    def test_a_header_and_its_source_are_one_unit(self):
        files = {f"common/base/u{number}{suffix}": "" for number in range(25) for suffix in (".h", ".cc")}
        self.assertTrue(figures(files)["folders above 25 units"].holds)
        found = figures(files | {"common/base/one_more.h": ""})["folders above 25 units"]
        self.assertEqual(found.worst, ["common/base: 26"])

    def test_an_interface_has_a_pure_virtual_method_and_its_destructor_is_none(self):
        methods = "".join(f"  virtual std::optional<int> method_{number}(int a, std::function<void(int)> done) = 0;\n" for number in range(12))
        seam = "class Seam {\n public:\n  virtual ~Seam() = default;\n%s};\n"
        self.assertEqual(figures({"common/base/a.h": seam % methods})["interface methods"].value, 12)
        wide = figures({"common/base/a.h": seam % (methods + "  virtual void more() {}\n")})["interface methods"]
        self.assertEqual((wide.value, wide.holds), (13, False))
        self.assertEqual(wide.worst, ["common/base/a.h:1 Seam: 13"])
        self.assertEqual(figures({"common/base/a.h": "class Base {\n public:\n  virtual void one();\n};\n"})["interface methods"].value, 0)


class Functions(unittest.TestCase):
    def test_lines_are_those_after_formatting(self):
        found = figures({"common/base/a.cc": "int f(int a) { int b = a; int c = b; return c; }\n"})
        self.assertEqual(found["function lines, longest"].value, 5)

    def test_a_lambda_belongs_to_its_function_and_macros_do_not_break_it(self):
        body = "  CO_TRY(const std::vector<int> all, co_await read(a, [](int b) { return b; }));\n" + "  TRY(auto x, f(1, 2));\n" * 80
        found = figures({"common/base/a.cc": "Task<int> C::read_all(int a) {\n" + body + "}\nint g() { return 1; }\n"})
        longest = found["function lines, longest"]
        self.assertEqual((longest.value, longest.holds), (83, False))
        self.assertEqual(longest.worst, ["common/base/a.cc:1 C::read_all: 83"])
        self.assertEqual(found["functions"].value, 2)

    def test_declared_and_defaulted_functions_have_no_body(self):
        found = figures({"common/base/a.h": "struct A {\n  A() = default;\n  A(const A&) = delete;\n  int f();\n  int g() { return 1; }\n};\n"})
        self.assertEqual(found["functions"].value, 1)

    def test_parameters_of_functions_constructors_and_pure_virtual_methods(self):
        seven = ", ".join(f"std::pair<int, int> p{number} = {{1, 2}}" for number in range(7))
        for text in (f"void f({seven}) {{}}\n", f"struct A {{\n  explicit A({seven}) : a(1) {{}}\n  int a;\n}};\n",
                     f"struct B {{\n  virtual int f({seven}) const = 0;\n}};\n"):
            found = figures({"common/base/a.h": text})["parameters"]
            self.assertEqual((found.value, found.holds), (7, False), text)
        self.assertEqual(figures({"common/base/a.h": "void f(void) {}\n"})["parameters"].value, 0)

    def test_tokens_and_quiet_lines(self):
        found = figures({"common/base/a.cc": 'const char* f() { return "a b"; }\n'})
        self.assertEqual(found["tokens of a function, median"].value, 11)   # A string is one.
        long = "int f() {\n" + "  // Why.\n\n" * 5 + "  g();\n" * 18 + "  return 1;\n}\n"
        quiet = figures({"common/base/a.cc": long})["blank and comment lines of functions of 25 lines or more"]
        self.assertEqual(quiet.worst, ["common/base/a.cc:1 f: 10 of 31"])


class Comments(unittest.TestCase):
    def test_a_trailing_comment_is_a_line_of_code(self):
        found = figures({"common/base/a.h": "// One.\n// Two.\nint a;  // Three.\n\nint b;\n", "common/base/a.cc": "int a;\n"})
        self.assertEqual(found["comment share of headers"].value, 0.5)
        self.assertEqual(found["comment share of sources"].value, 0)


class Locks(unittest.TestCase):
    def loose(self, text):
        return figures({"common/base/a.h": text})["mutexes that no annotation names"].worst

    def test_a_mutex_that_an_annotation_names(self):
        self.assertEqual(self.loose("class A {\n  void f() REQUIRES(mutex_);\n  Mutex mutex_;\n  int a_ GUARDED_BY(mutex_) = 0;\n};\n"), [])

    def test_one_that_none_names_and_one_that_the_compiler_does_not_follow(self):
        self.assertEqual(self.loose("class A {\n  mutable Mutex mutex_;\n  int a_;\n};\n"), ["common/base/a.h:2 A::mutex_"])
        self.assertEqual(self.loose("class A {\n  std::mutex mutex_;\n  int a_ GUARDED_BY(mutex_);\n};\n"), ["common/base/a.h:2 A::mutex_"])
        self.assertEqual(self.loose("void f() {\n  g();\n  std::shared_mutex all;\n}\n"), ["common/base/a.h:3 f::all"])

    def test_what_an_annotated_mutex_is_made_of_does_not_count(self):
        self.assertEqual(self.loose("class CAPABILITY(\"mutex\") Mutex {\n  std::mutex mutex_;\n};\n"), [])

    def test_a_reference_is_no_mutex(self):
        self.assertEqual(self.loose("class A {\n  std::mutex& mutex_;\n  Mutex* other_;\n};\n"), [])


class Sql(unittest.TestCase):
    def test_parameters_and_lines(self):
        text = ("-- create function not_this(a int, b int)\ncreate or replace function f(\n  a int default g(1, 2), b text[] default array['x,y'],\n"
                "  c numeric(3, 1)) returns int language sql as $$\n  select 1; -- create function\n$$;\ncreate function none() returns int language sql as $x$ select 2 $x$;\n")
        self.assertEqual(list(measure_style.sql_functions(text)), [(2, "f", 3, 5), (7, "none", 0, 1)])

    def test_limits(self):
        nine = ", ".join(f"p{number} int" for number in range(9))
        found = figures({"migrations/functions/a.sql": f"create function wide({nine}) returns int language sql as $$ select 1 $$;\n" + "\n" * 300})
        self.assertEqual(found["parameters of an SQL function"].worst, ["migrations/functions/a.sql:1 wide: 9"])
        self.assertEqual(found["lines of an SQL file"].worst, ["migrations/functions/a.sql: 301"])


class Tests(unittest.TestCase):
    def test_ratio_of_all_and_of_each_gateway_folder(self):
        ten, four, three = ("int a;\n" * count for count in (10, 4, 3))
        found = figures({"gateway/api/a.cc": ten, "gateway/s3/a.cc": ten, "tests/unit/gateway/api/a_test.cc": four, "tests/unit/gateway/s3/a_test.cc": three})
        self.assertEqual(found["test / production lines, C++"].value, 0.35)
        least = found["test / production lines of a gateway/* folder, least"]
        self.assertEqual((least.value, least.worst), (0.3, ["gateway/s3: 0.3"]))


class Program(unittest.TestCase):
    def run_on(self, text, *options):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("common/base/a.h", text), ("tests/unit/a_test.cc", "int a;\n" * 20)):
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True)
                path.write_text(content, encoding="utf-8")
            done = subprocess.run([sys.executable, TOOLS / "measure_style.py", "--root", folder, *options], capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_exit_code_and_worst(self):
        code, output = self.run_on("inline int f() { return 1; }\n")
        self.assertEqual((code, "MISSED" in output), (0, False), output)
        parameters = ", ".join("int" for _ in range(7))
        text = "".join(f"void f{number}({parameters}) {{}}\n" for number in range(4))
        code, output = self.run_on(text, "--worst", "2")
        self.assertEqual(code, 1)
        self.assertEqual(output.count(": 7\n"), 2, output)

    def test_json(self):
        code, output = self.run_on("inline int f() { return 1; }\n", "--json")
        self.assertEqual(code, 0)
        self.assertIn('"name": "folder cycles"', output)


if __name__ == "__main__":
    unittest.main()
