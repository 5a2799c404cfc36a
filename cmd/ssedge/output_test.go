package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestOutputThatIsNotTakenFails every command: what it was to print is what it was run for.
func TestOutputThatIsNotTakenFails(t *testing.T) {
	notRaced(t)
	stream := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "z") {
			io.WriteString(w, "ok\n")
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 3 {
			fmt.Fprintf(w, "id: %d\ndata: x\n\n", i)
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err) // full(4): Linux has it everywhere
	}
	defer full.Close()
	for _, args := range [][]string{
		{"subscribe", "t", "-q", "--server=" + stream},
		{"subscribe", "t", "-q", "--count=2", "--server=" + stream},
		{"subscribe", "t", "-q", "--json", "--server=" + stream},
		{"health", "--admin=" + stream}, {"serve", "--check", "--dev"}, {"serve", "--help"},
		{"redis", "key", "t"}, {"redis", "script"}, {"tune"}, {"tune", "--json"},
		{"tune", "--sysctl"}, {"version"}, {"version", "--json"},
	} {
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), environment()...)
		var errors bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &errors
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		if code := cmd.ProcessState.ExitCode(); code != 1 ||
			!strings.Contains(errors.String(), "no space left on device") {
			t.Errorf("%q: exit code %d, %q", args, code, errors.String())
		}
	}
}

// TestAReaderThatGoesAway ends subscribe without a word: it has what it wanted.
func TestAReaderThatGoesAway(t *testing.T) {
	notRaced(t)
	stream := fakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for r.Context().Err() == nil {
			io.WriteString(w, "data: x\n\n")
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	})
	cmd := exec.Command(os.Args[0], "subscribe", "t", "-q", "--server="+stream)
	cmd.Env = append(os.Environ(), environment()...)
	var errors bytes.Buffer
	cmd.Stderr = &errors
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(patience, func() { cmd.Process.Kill() }).Stop()
	out.Read(make([]byte, 1))
	out.Close()
	if cmd.Wait(); !strings.Contains(cmd.ProcessState.String(), "broken pipe") || errors.Len() > 0 {
		t.Errorf("%v, %q", cmd.ProcessState, errors.String())
	}
}
