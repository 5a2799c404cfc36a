package ssedge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// widthMax is how many columns a line has at most, in Go and in prose; a tab has four. A line may
// be longer because of a word that cannot be broken (a string, a tag, a link) of at least wordMin
// columns, or because gofmt puts a table's key before its value.
const (
	widthMax = 100
	wordMin  = 40
)

func columns(line string) (n int) {
	for _, r := range line {
		n++
		if r == '\t' {
			n += 3 - (n-1)%4
		}
	}
	return n
}

var (
	unbreakable = regexp.MustCompile("\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`|\\S{40,}")
	tableKey    = regexp.MustCompile("^\\s*(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`): +")
)

// tooWide reports whether a line should have been broken.
func tooWide(line string) bool {
	line = line[len(tableKey.FindString(line)):]
	width := columns(line)
	if width <= widthMax {
		return false
	}
	for _, word := range unbreakable.FindAllString(line, -1) {
		if n := utf8.RuneCountInString(word); n >= wordMin && width-n <= widthMax-wordMin {
			return false
		}
	}
	return true
}

// TestGoHasOneWidth, but for the lines inside a string.
func TestGoHasOneWidth(t *testing.T) {
	eachFile(t, func(path string, _ []string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				for l := set.Position(s.Pos()).Line; l <= set.Position(s.End()).Line &&
					strings.Contains(s.Value, "\n"); l++ {
					lines[l-1] = ""
				}
			}
			return true
		})
		for i, line := range lines {
			if tooWide(line) {
				t.Errorf("%s:%d: %d columns, expected at most %d", path, i+1, columns(line),
					widthMax)
			}
		}
	})
}

// TestProseHasOneWidth, but for tables and for code.
func TestProseHasOneWidth(t *testing.T) {
	eachPage(t, func(path, text string) {
		code := false
		for i, line := range strings.Split(text, "\n") {
			bare := strings.TrimSpace(line)
			if strings.HasPrefix(bare, "```") {
				code = !code
			}
			if code || strings.HasPrefix(bare, "|") || strings.HasPrefix(line, "    ") {
				continue
			}
			if tooWide(line) {
				t.Errorf("%s:%d: %d columns, expected at most %d", path, i+1, columns(line),
					widthMax)
			}
		}
	})
}
