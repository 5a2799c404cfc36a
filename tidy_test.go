// Package ssedge has no code of its own: this test holds the tree to its rules.
package ssedge

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says for each part of the tree which parts of ours it may import: the longest prefix
// that matches a package decides. Tests may import more: they stand outside.
var mayImport = map[string][]string{
	"proto":                {},
	"proto/envelope":       {"proto/eventid"},
	"proto/record":         {"proto/eventid"},
	"proto/rule":           {"proto/sse"},
	"proto/rule/ruletest":  {"proto/rule"},
	"shard":                {"proto", "shard"},
	"shard/log":            {"proto"},
	"shard/topic":          {"proto", "shard/log", "shard/roomy"},
	"shard/roomy":          {},
	"shard/sys":            {},
	"shard/sys/fake":       {"shard/sys"},
	"shard/sys/fake/seeds": {},
	"shard/wheel":          {},
	"engine":               {"proto", "shard", "engine", "tuning/cgroup"},
	"engine/auth":          {"engine/setting"},
	"engine/setting":       {},
	"engine/deadline":      {"shard/sys"},
	"engine/fanin":         {"proto", "shard"},
	"engine/refuse":        {"proto"},
	"engine/state":         {},
	"engine/fanin/redis":   {"proto", "shard", "engine/fanin", "engine/setting"},
	"engine/intake": {"proto", "shard", "engine/auth", "engine/deadline", "engine/refuse",
		"engine/setting"},
	"engine/httpapi": {"proto", "shard", "engine/auth", "engine/deadline", "engine/fanin",
		"engine/intake", "engine/refuse"},
	"bench":         {"proto", "bench"},
	"tuning":        {"tuning"},
	"tuning/cgroup": {},
	"cmd":           {"proto", "shard", "engine", "bench", "tuning", "cmd"},

	"engine/fanin/redis/feed": {"proto", "shard/log"},
}

// onlyImporter is the only package that may import a library.
var onlyImporter = map[string]string{
	"github.com/cloudwego/netpoll": "engine/intake",
	"github.com/redis/rueidis":     "engine/fanin/redis",

	"github.com/coreos/go-systemd/v22/activation": "cmd/ssedge",
	"github.com/coreos/go-systemd/v22/daemon":     "cmd/ssedge",
}

// pure says what must not be imported below a directory: what is there owns no
// connection, no clock and no lock.
var pure = map[string][]string{
	"proto": {"net", "net/http", "time", "sync", "sync/atomic", "os", "syscall",
		"golang.org/x/sys/unix"},
	"shard/wheel": {"time", "sync", "os"},
	"shard/log":   {"net", "time", "sync", "sync/atomic", "os"},

	"engine/fanin/redis/feed": {"net", "time", "sync", "sync/atomic", "os", "context", "log/slog"},
}

// topLevel is what may stand at the root.
var topLevel = strings.Fields("cmd engine proto shard bench tuning go.mod go.sum Makefile sysctl.conf README.md ARCHITECTURE.md LICENSE CHANGELOG.md tidy_test.go width_test.go bin")

const module = "ssedge/"

func TestTheTopLevelIsWhatItIs(t *testing.T) {
	known := map[string]bool{}
	for _, name := range topLevel {
		known[name] = true
	}
	entries, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !known[e] && !strings.HasPrefix(e, ".") {
			t.Errorf("%s stands at the top level; expected only %v", e, topLevel)
		}
	}
}

func TestImportsKeepTheirDirection(t *testing.T) {
	checked := 0
	eachFile(t, func(path string, imports []string) {
		dir := filepath.ToSlash(filepath.Dir(path))
		test := strings.HasSuffix(path, "_test.go")
		for _, name := range imports {
			if ours, ok := strings.CutPrefix(name, module); ok && !test {
				checked++
				if allowed := rule(t, dir); !within(ours, allowed) {
					t.Errorf("%s imports %s; %s may import only %v of ours", path, name, dir,
						allowed)
				}
			}
			if owner := onlyImporter[name]; owner != "" && dir != owner {
				t.Errorf("%s imports %s; only %s may", path, name, owner)
			}
			for under, banned := range pure {
				if !test && within(dir, []string{under}) {
					for _, b := range banned {
						if name == b {
							t.Errorf("%s imports %s; %s must not", path, name, under)
						}
					}
				}
			}
		}
	})
	if checked == 0 {
		t.Fatal("no import of ours was found: the test looks in the wrong place")
	}
}

// rule returns what the package in dir may import.
func rule(t *testing.T, dir string) []string {
	best, allowed := -1, []string(nil)
	for prefix, list := range mayImport {
		if within(dir, []string{prefix}) && len(prefix) > best {
			best, allowed = len(prefix), list
		}
	}
	if best < 0 {
		t.Errorf("%s is in no known part of the tree", dir)
	}
	return allowed
}

func within(dir string, parents []string) bool {
	for _, p := range parents {
		if dir == p || strings.HasPrefix(dir, p+"/") {
			return true
		}
	}
	return false
}

// linesMax bounds a source file: longer ones hold more than one idea.
const linesMax = 420

func TestFilesHoldOneIdea(t *testing.T) {
	eachFile(t, func(path string, _ []string) {
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if n := set.File(f.Pos()).LineCount(); n > linesMax {
			t.Errorf("%s has %d lines; expected at most %d", path, n, linesMax)
		}
	})
}

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)

// TestLinksOfPagesLeadSomewhere looks at links to files of the tree, in all pages.
func TestLinksOfPagesLeadSomewhere(t *testing.T) {
	eachPage(t, func(path, text string) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if _, gone := os.Stat(filepath.Join(filepath.Dir(path), found[1])); gone != nil {
				t.Errorf("%s: there is no %s", path, found[1])
			}
		}
	})
}

// eachPage calls do with every page of the tree.
func eachPage(t *testing.T, do func(path, text string)) {
	pages := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && slices.Contains([]string{"node_modules", ".git", "bin"},
			d.Name()) {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(path) != ".md" {
			return err
		}
		text, err := os.ReadFile(path)
		pages++
		do(path, string(text))
		return err
	})
	if err != nil || pages < 10 {
		t.Errorf("found %d pages, %v", pages, err)
	}
}

// resultsMax is the most bytes that measurements may take in the tree: raw files are packed, pages
// are made on demand (ssedge bench report), and history has superseded runs.
const resultsMax = 1 << 20

func TestMeasurementsTakeLittle(t *testing.T) {
	total := int64(0)
	err := filepath.WalkDir("bench/results", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ext := filepath.Ext(path); ext == ".html" || ext == ".json" {
			t.Errorf("%s: expected no page and nothing unpacked", path)
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil || total > resultsMax {
		t.Errorf("bench/results has %d bytes, expected at most %d; %v", total, resultsMax, err)
	}
}

// exposed says for each package which of its names stand for values of metrics' labels, or decide
// on them.
var exposed = map[string]string{
	"shard":              `^Closed[A-Z]`,
	"shard/log":          `^Gap[A-Z]`,
	"engine/auth":        `^(Allowed|Unknown|Invalid)$|Permitted$`,
	"engine/intake":      `^refuse[A-Z]`,
	"engine/fanin/redis": `^op[A-Z]`,

	"engine/fanin/redis/feed": `^Cause[A-Z]|^(Duplicate|Fork|Phantom|Gap|Reset|Unfit)$`,
}

// TestExposedValuesOccur: a value that its own package never uses, but for listing it, cannot
// occur. Operators would wait for it.
func TestExposedValuesOccur(t *testing.T) {
	for dir, pattern := range exposed {
		uses := map[string]int{}
		names := regexp.MustCompile(pattern)
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl: // a list of all is no use
					return n.Name.Name != "Refusals"
				case *ast.ValueSpec:
					for _, name := range n.Names {
						if names.MatchString(name.Name) {
							uses[name.Name]-- // Inspect comes to the name itself, too
						}
					}
				case *ast.Ident:
					if names.MatchString(n.Name) {
						uses[n.Name]++
					}
				}
				return true
			})
		}
		found := 0
		for name, n := range uses {
			if !names.MatchString(name) {
				continue
			}
			if found++; n == 0 {
				t.Errorf("%s: %s is declared, and nothing there uses it: it cannot occur", dir,
					name)
			}
		}
		if found < 3 {
			t.Errorf("%s: found %d such names: the test looks for the wrong ones", dir, found)
		}
	}
}

func eachFile(t *testing.T, visit func(path string, imports []string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") ||
			!strings.Contains(path, string(filepath.Separator)) {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			imports = append(imports, name)
		}
		visit(path, imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCallsGoOneWay: no file of these packages calls back into one that it is called from, over
// however many others. Names that several files declare are not looked at.
func TestCallsGoOneWay(t *testing.T) {
	for _, dir := range []string{"shard", "engine/setting"} {
		declared := map[string]string{}         // name → file
		calls := map[string]map[string]string{} // file → file → name
		files := parsed(t, dir)
		for path, f := range files {
			for _, d := range f.Decls {
				if d, ok := d.(*ast.FuncDecl); ok && !d.Name.IsExported() {
					// others have such names, too
					name := map[bool]string{true: "."}[d.Recv != nil] + d.Name.Name
					if _, again := declared[name]; again {
						declared[name] = "" // it may be either
					} else {
						declared[name] = path
					}
				}
			}
		}
		for path, f := range files {
			calls[path] = map[string]string{}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				name := ""
				switch fun := call.Fun.(type) {
				case *ast.Ident:
					name = fun.Name
				case *ast.SelectorExpr:
					name = "." + fun.Sel.Name
				}
				if to := declared[name]; to != "" && to != path {
					calls[path][to] = name
				}
				return true
			})
		}
		const unseen, under, over = 0, 1, 2
		state := map[string]int{}
		var visit func(path string, by []string)
		visit = func(path string, by []string) {
			state[path] = under
			for to, name := range calls[path] {
				next := append(slices.Clone(by), path+" calls "+strings.TrimPrefix(name, "."))
				switch state[to] {
				case unseen:
					visit(to, next)
				case under:
					t.Errorf("%s of %s: calls go round", strings.Join(next, ", "), to)
				}
			}
			state[path] = over
		}
		for path := range files {
			if state[path] == unseen {
				visit(path, nil)
			}
		}
	}
}

// parsed returns the files of a package by their paths, without its tests.
func parsed(t *testing.T, dir string) map[string]*ast.File {
	paths, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: found no files, %v", dir, err)
	}
	files := map[string]*ast.File{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = f
	}
	return files
}
