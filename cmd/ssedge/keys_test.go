package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestKeysOfAFile: a byte order mark, comments, blanks and line ends of any kind are no part of a
// key. A file without a key is refused.
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
		got, err := keyed(path).keys()
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestWrongKeysOfAFile: each is named with its line, and not said. What is no file with an end, or
// too large, is not read: a pipe would block SIGHUP.
func TestWrongKeysOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path,
		[]byte("# keys\ngood\nBearer hunter2\n\nhunter\x012\n"+strings.Repeat("hunter2", 600)+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	_, err := keyed(path).keys()
	said := strings.Split(fmt.Sprint(err), "\n")
	for i, want := range []string{", line 3: expected the key alone",
		", line 5: expected a text without control",
		", line 6: expected at most 4010 bytes, which fit into --head-bytes 4096"} {
		if len(said) != 3 || !strings.HasPrefix(said[i], "--key-file "+path+want) ||
			strings.Contains(said[i], "hunter") {
			t.Errorf("found %q, expected %q", said, want)
		}
	}
}

// TestFilesThatAreNotRead: neither the file of keys nor that of settings may be something that
// blocks, or does not end.
func TestFilesThatAreNotRead(t *testing.T) {
	dir := t.TempDir()
	pipe, large, largest := filepath.Join(dir, "pipe"), filepath.Join(dir, "large"),
		filepath.Join(dir, "largest")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, size := range map[string]int{large: fileBytesMax + 1, largest: fileBytesMax} {
		if err := os.WriteFile(path, []byte("#"+strings.Repeat("\n", size-5)+"a: 3"),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, found := range map[string]string{pipe: "found a pipe",
		"/dev/zero": "found a pipe, a device", dir: "found a directory",
		large: "expected at most 1048576 bytes"} {
		_, err := keyed(path).keys()
		if said := fmt.Sprint(err); !strings.HasPrefix(said, "--key-file: "+path+": ") ||
			!strings.Contains(said, found) {
			t.Errorf("--key-file: found %s, expected %q", said, found)
		}
		_, err = newParser(&cli{}).Parse([]string{"serve", "--config=" + path})
		if said := fmt.Sprint(err); !strings.HasPrefix(said, "--config: "+path+": ") ||
			!strings.Contains(said, found) {
			t.Errorf("--config: found %s, expected %q", said, found)
		}
	}
	if _, err := keyed(largest).keys(); err != nil {
		t.Error(err)
	}
	if _, err := newParser(&cli{}).
		Parse([]string{"serve", "--config=" + largest}); !strings.Contains(fmt.Sprint(err),
		`"a" is not a setting`) {
		t.Errorf("found %v, expected it to be read", err)
	}
}

// keyed is a server with a file of keys.
func keyed(file string) *serveCmd {
	c := &serveCmd{KeyFile: file}
	c.Settings.HeadBytes = 4096
	return c
}
