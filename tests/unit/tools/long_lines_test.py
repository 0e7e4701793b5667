#!/usr/bin/env python3
"""tools/long_lines.py: what it moves and braces, and what it leaves alone. 40 columns."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tools"))

from long_lines import with_braces, with_comments_above     # noqa: E402


class Comments(unittest.TestCase):
    def check(self, before, after):
        self.assertEqual(with_comments_above(before, 40), after)

    def test_one_that_is_too_long_goes_above_its_line(self):
        self.check("  int a = 1;  // A sentence that does not fit.\n", "  // A sentence that does not fit.\n  int a = 1;\n")

    def test_with_the_lines_on_which_it_goes_on(self):
        self.check("  int a = 1;  // A sentence that does not\n              // fit.\n  int b;\n",
                   "  // A sentence that does not\n  // fit.\n  int a = 1;\n  int b;\n")

    def test_one_that_fits_beside_its_code_stays_wherever_it_was_aligned(self):
        self.check("int a;                               // Fits.\n", "int a;                               // Fits.\n")

    def test_no_comment(self):
        for text in ('call("https://example.org/a/long/address/of");\n', "  // A comment of its own, longer than a line may be.\n",
                     'text = R"(\n  a  // is inside of a string and not a comment\n)";\n', "}  // namespace rondel::a_name_of_some_length\n",
                     "#define A(x) \\\n  call(x, x, x);  // in a macro, where it cannot be \\\n"):
            self.check(text, text)


class Braces(unittest.TestCase):
    def check(self, before, after):
        self.assertEqual(with_braces(before, 40), after)

    def test_a_statement_that_does_not_fit(self):
        self.check("  if (a) return call(b, c, d, e, f, g, h);\n", "  if (a) { return call(b, c, d, e, f, g, h); }\n")
        self.check("  for (const auto& a : all)\n    call(a);\n", "  for (const auto& a : all) {\n    call(a); }\n")
        self.check("  while (a(\"(\", ')'))\n    call([] { return 1; });\n", "  while (a(\"(\", ')')) {\n    call([] { return 1; }); }\n")

    def test_what_fits_or_has_them_or_is_followed_by_else(self):
        for text in ("if (a) return b;\n", "if (a) {\n  return b;\n}\n", "if (a)\n  b();\nelse\n  c();\n", "if (a)\n  for (;;) b();\n",
                     "#define A if (x) \\\n  if (a) return_some_error(of_it, and_more)\nint b;\n", "// if (a)\n//   b();\n"):
            self.check(text, text)


if __name__ == "__main__":
    unittest.main()
