package progress

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSilentOnAFile(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b := New(file)
	b.At(3)
	b.Stage("opening", 10)
	b.At(7)
	b.Stage("settling", 0)
	b.Close()
	b.Close()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("%v: found %d bytes", err, info.Size())
	}
}

// terminal is a pseudo terminal, and what was written to it.
type terminal struct {
	*os.File

	mu      sync.Mutex
	text    strings.Builder
	written chan struct{} // closed when it changes
}

func open(t *testing.T) *terminal {
	t.Helper()
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminal: %v; a system with /dev/ptmx and devpts would run this", err)
	}
	t.Cleanup(func() { main.Close() })
	number, err := unix.IoctlGetInt(int(main.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Skipf("no pseudo terminal: %v", err)
	}
	end, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminal: %v", err)
	}
	t.Cleanup(func() { end.Close() })
	s := &terminal{File: end, written: make(chan struct{})}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := main.Read(b)
			s.mu.Lock()
			s.text.Write(b[:n])
			close(s.written)
			s.written = make(chan struct{})
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// until waits for a text, and returns all so far.
func (s *terminal) until(t *testing.T, part string) string {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		s.mu.Lock()
		text, written := s.text.String(), s.written
		s.mu.Unlock()
		if strings.Contains(text, part) {
			return text
		}
		select {
		case <-written:
		case <-late:
			t.Fatalf("expected %q, found %q", part, text)
		}
	}
}

func TestOnATerminal(t *testing.T) {
	s := open(t)
	b := New(s.File)
	b.Stage("opening", 10)
	s.until(t, "opening")
	b.At(5)
	b.At(99) // no more than all
	b.Stage("settling", 0)
	s.until(t, "settling")
	b.At(3)
	b.Stage("holding", 4)
	s.until(t, "holding")
	b.Close()
	b.Close()
	fmt.Fprint(s.File, "END")
	text := s.until(t, "END")
	// The line is blank when something else is written.
	line := text[strings.LastIndex(strings.TrimSuffix(text, "\rEND"), "\r")+1:]
	if strings.TrimSpace(strings.TrimSuffix(line, "\rEND")) != "" {
		t.Errorf("expected a blank line before the end, found %q", line)
	}
	if strings.Contains(text, "\n") {
		t.Errorf("expected one line, found %q", text)
	}
}

// TestNothingIsDrawnBehindTheEnd of a stage whose steps are not known, which draws by itself.
func TestNothingIsDrawnBehindTheEnd(t *testing.T) {
	s := open(t)
	b := New(s.File)
	b.Stage("settling", 0)
	s.until(t, "settling")
	bar := b.bar
	b.Close()
	if !bar.IsFinished() {
		t.Error("the bar goes on drawing")
	}
}

// TestNotesWhileABarMoves: stages, steps and notes come from several goroutines, and each note has
// a line of its own.
func TestNotesWhileABarMoves(t *testing.T) {
	s := open(t)
	b := New(s.File)
	const notes = 100
	var all sync.WaitGroup
	all.Go(func() {
		for n := range notes {
			b.Stage("resuming", 10*(n%3)) // every third has no total
			b.At(5)
		}
	})
	all.Go(func() {
		for n := range notes {
			b.Note(fmt.Sprintf("note %d.", n))
		}
	})
	all.Wait()
	b.Close()
	fmt.Fprint(s.File, "END")
	lines := strings.Split(s.until(t, "END"), "\n")
	if len(lines) != notes+1 {
		t.Errorf("found %d lines, expected %d", len(lines)-1, notes)
	}
	for n, line := range lines[:len(lines)-1] {
		line = strings.TrimSuffix(line, "\r")
		line = strings.TrimPrefix(line[strings.LastIndex(line, "\r")+1:], "\x1b[K")
		if want := fmt.Sprintf("ssedge: note %d.", n); line != want {
			t.Fatalf("found the line %q, expected %q", line, want)
		}
	}
}
