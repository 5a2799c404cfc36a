package auth

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

func names(topics ...string) (all [][]byte) {
	for _, t := range topics {
		all = append(all, []byte(t))
	}
	return all
}

func TestStatic(t *testing.T) {
	t.Parallel()
	a, err := NewStatic([]string{"old", "new key"}, []string{"public/*", "news"})
	if err != nil {
		t.Fatal(err)
	}
	for _, good := range []string{"Bearer old", "bearer new key", "BeArEr   old  "} {
		if v := a.Publish([]byte(good), []byte("x")); v != Allowed {
			t.Errorf("%q may not publish: %v", good, v)
		}
		if v := a.Subscribe([]byte(good), names("private")); v != Allowed {
			t.Errorf("%q may not subscribe: %v", good, v)
		}
	}
	for _, wrong := range []string{
		"", "old", "Bearer", "bEaReR", "Bearer ", "Bearer ol", "Bearer oldd", "Bearer old new",
		"Bearer new  key", "Bearer\told", " Bearer old", "Bearer OLD",
		"Bearer old\x00", "Bearerold", "Bearer-old", "bearer:old", "Bearer=old", "Bearer,old",
		"BEARERS old", `"Bearer old"`, ",Bearer old", "\tBasic old",
		"Bearer old, Basic YTpi", "Bearer basic old",
	} {
		if v := a.Publish([]byte(wrong), []byte("x")); v != Invalid {
			t.Errorf("%q publishes: %v", wrong, v)
		}
		if v := a.Subscribe([]byte(wrong), names("news")); v != Invalid {
			t.Errorf("%q is taken for anonymous: %v", wrong, v)
		}
	}
	// Credentials of another scheme count as none.
	for _, other := range []string{
		"Basic YTpi", "basic old", "Basic", "Digest username=\"a\", realm=\"b\"", "Negotiate YII=",
		"Negotiate", "NTLM TlRM", "Token old", "Bear old", "Beare old",
		"Basic old, Bearer old", "Basic Bearer old", "AWS4-HMAC-SHA256 Credential=a/b",
		"eyJhbGciOiJub25lIn0.e30.", "Basic\told", "x",
	} {
		if v := a.Publish([]byte(other), []byte("x")); v != Unknown {
			t.Errorf("%q publishes: %v", other, v)
		}
		for _, topic := range []string{"news", "private"} {
			if got, anonymous := a.Subscribe([]byte(other), names(topic)),
				a.Subscribe(nil, names(topic)); got != anonymous {
				t.Errorf("%q on %s: %v, expected %v as without credentials", other, topic, got,
					anonymous)
			}
		}
	}
	for _, c := range []struct {
		topics  [][]byte
		verdict Verdict
	}{
		{names("news"), Allowed}, {names("public/"), Allowed}, {names("public/a", "news"), Allowed},
		{names("public"), Unknown}, {names("newsy"), Unknown}, {names("new"), Unknown},
		{names("PUBLIC/a"), Unknown},
		{names("news", "private"), Unknown}, {names("private", "news"), Unknown},
	} {
		if v := a.Subscribe(nil, c.topics); v != c.verdict {
			t.Errorf("without a key, on %q: %v", c.topics, v)
		}
	}
	for _, topic := range [][]byte{nil, []byte("news")} {
		if v := a.Publish(nil, topic); v != Unknown {
			t.Errorf("publishing without a key: %v", v)
		}
	}
	if o := Open(); o.Publish(nil, nil) != Allowed ||
		o.Subscribe([]byte("nonsense"), names("x")) != Allowed {
		t.Error("a development server refuses")
	}
}

func TestKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	if _, err := NewStatic(nil, []string{"*"}); !errors.Is(err, ErrNoKeys) {
		t.Errorf("no key: %v", err)
	}
	for _, k := range []string{"", " ", " a", "a ", "a\n", "\ta"} {
		if _, err := NewStatic([]string{"good", k}, nil); err == nil || errors.Is(err, ErrNoKeys) {
			t.Errorf("%q is taken for a key: %v", k, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "**", "a*b", "*a", "a**", "a/*/b*"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
	for pattern, topics := range map[string]map[string]bool{
		"*": {"": true, "a": true, "*": true}, "a": {"a": true, "aa": false, "": false, "A": false},
		"a/*": {"a/": true, "a/b/c": true, "a": false, "b/a/": false},
		"a*":  {"a": true, "ab": true, "b": false},
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for topic, expected := range topics {
			if p.Match([]byte(topic)) != expected {
				t.Errorf("%q names %q: %v", pattern, topic, !expected)
			}
		}
	}
	if all, err := ParsePatterns([]string{"a", "b*"}); err != nil || !all.Match([]byte("bc")) ||
		!all.Match([]byte("a")) || all.Match([]byte("c")) {
		t.Errorf("%v %v", all, err)
	}
	if _, err := ParsePatterns([]string{"a", "*b"}); err == nil {
		t.Error("a list with a bad one is taken")
	}
}

// How long a comparison takes cannot be tested; how it is made can: every key is
// compared, by the function made for it, and nothing leaves the loop early.
func TestKeysAreComparedInConstantTime(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "static.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared, loops := 0, 0
	ast.Inspect(file, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Name.Name != "check" {
			return true
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				loops++
				ast.Inspect(n.Body, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.IfStmt, *ast.BranchStmt, *ast.ReturnStmt:
						t.Error("the loop over the keys has a way out")
					case *ast.SelectorExpr:
						if n.Sel.Name == "ConstantTimeCompare" {
							compared++
						}
					}
					return true
				})
			case *ast.SelectorExpr:
				if n.Sel.Name == "Equal" {
					t.Error("a key is compared in some other way")
				}
			}
			return true
		})
		return false
	})
	if loops != 1 || compared != 1 {
		t.Errorf("%d loops, %d comparisons", loops, compared)
	}
}
