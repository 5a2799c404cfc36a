package redis

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Close waits for every goroutine of a source, because each of them may use the clients that it
// closes. So none is started with a go statement: Source.running counts those that are (or, within
// one function, a group that it waits for).
func TestEveryGoroutineIsWaitedFor(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read, started := token.NewFileSet(), 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(read, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s: a goroutine that Close does not wait for: expected running.Go",
					read.Position(g.Pos()))
			}
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" {
				started++
			}
			return true
		})
	}
	if started < 5 {
		t.Errorf("%d goroutines are started: the test looks in the wrong place", started)
	}
}
