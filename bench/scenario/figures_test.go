package scenario

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ssedge/bench/result"
)

// TestFigureNames has every figure that the source of a scenario adds, each in its unit.
func TestFigureNames(t *testing.T) {
	units := map[string]string{`""`: "", "result.Milliseconds": "ms", "result.Microseconds": "us",
		"result.Seconds": "s", "result.Bytes": "B", "result.PerSecond": "/s", "result.Times": "×",
		"result.Percent": "%"}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, source := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 { // Result.Add(name, value, unit, says)
				return true
			}
			name, ok := call.Args[0].(*ast.BasicLit)
			if method, is := call.Fun.(*ast.SelectorExpr); !ok || !is || method.Sel.Name != "Add" {
				return true // names in parts: TestFiguresInParts
			}
			seen++
			unit := units[types.ExprString(call.Args[2])]
			if text, _ := strconv.Unquote(name.Value); !slices.Contains(figureNames[unit], text) {
				t.Errorf("%s: expected %s in figureNames[%q]", source, text, unit)
			}
			return true
		})
	}
	if seen < 40 {
		t.Errorf("found %d figures in the source", seen)
	}
}

// TestFiguresInParts: what a quantile or a ratio is called.
func TestFiguresInParts(t *testing.T) {
	for _, name := range []string{"p50", "p99.9", "max", "first_byte_p99", "broadcast_p90",
		"without_p99", "without_max"} {
		if !slices.Contains(figureNames[result.Milliseconds], name) {
			t.Errorf("expected %s", name)
		}
	}
	for _, name := range []string{"p99_of_baseline", "cpu_per_event_of_baseline",
		"delivered_rate_of_baseline", "p99_ratio"} {
		if !slices.Contains(figureNames[result.Times], name) {
			t.Errorf("expected %s", name)
		}
	}
}

func TestCheckExpectation(t *testing.T) {
	for text, says := range map[string]string{
		"p99<50ms": "", "p99.9<1s": "", "exact=20": "", "delivered_rate>5/s": "", "pss<1GiB": "",
		"slab_tcp<2KiB": "", "p99_of_baseline<2x": "",
		"foo<50ms": "no scenario has a figure foo: expected one of ",
		"p99<50":   "p99 is in ms: write p99<50ms", "p99<50B": `p99 is in "ms", not in "B"`,
		"exact=20ms": `exact has no unit, found "ms"`, "slab_tcp<2": "slab_tcp is in B",
		"slab<1B": "no scenario has a figure slab",
	} {
		e, err := result.ParseExpectation(text)
		if err != nil {
			t.Fatal(err)
		}
		if err = CheckExpectation(e); says == "" && err != nil || says != "" &&
			(err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: found %v, expected %q", text, err, says)
		}
	}
}
