package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestKeysOfAFile: a byte order mark, comments, blanks and line ends of any kind are no part of a key. A file without a key is refused.
func TestKeysOfAFile(t *testing.T) {
	for text, want := range map[string][]string{
		"one\ntwo\n":                 {"one", "two"},
		"\ufeffone\r\n  two \r\n":    {"one", "two"},
		"# a comment\n\none":         {"one"},
		"":                           nil,
		"\ufeff\n# only a comment\n": nil,
	} {
		path := filepath.Join(t.TempDir(), "keys")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := (&serveCmd{KeyFile: path}).keys()
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
