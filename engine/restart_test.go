package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestTenThousandStreamsOverARestart: half of the streams are gone when the server is told to end,
// and half are told by it. On 500 topics, half of which have had no event, all get exactly what
// they lack from the next process.
func TestTenThousandStreamsOverARestart(t *testing.T) {
	streams, topics := pick(10_000, 1_000, 1_000), 500
	dir := t.TempDir()
	flags := []string{"--state-dir=" + dir, "--drain-rate=1e6"}
	p := startProcess(t, flags...)
	type client struct {
		topic string
		id    string
		has   int
	}
	clients := make([]client, streams)
	name := func(i int) string { return fmt.Sprint("t", i%topics) }
	open := p.openAll(t, streams, func(i int) ask {
		return ask{topics: []string{name(i)}, readBuffer: 512}
	})
	for i := range clients {
		clients[i] = client{topic: name(i), id: open[i].decoder.LastEventID()}
		if i/topics%2 == 0 {
			open[i].reset()
			open[i] = nil
		}
	}
	for i := 0; i < topics; i += 2 {
		p.publishAll(t, name(i), []string{"0", "1", "2"})
	}
	p.signal(t, syscall.SIGTERM)
	for i, st := range open {
		if st == nil {
			continue
		}
		all, err := st.untilEnd()
		if want := 3 * (1 - i%2); err != nil || len(all) != want {
			t.Fatalf("stream %d ends after %d events, %v: expected %d", i, len(all), err, want)
		}
		clients[i].id, clients[i].has = st.decoder.LastEventID(), len(all)
		st.reset()
	}
	if code := p.exit(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr.String())
	}

	p = startProcess(t, flags...)
	for i := range topics {
		if i%4 < 2 { // some with history, and some that have had no event
			first := 3 * (1 - i%2)
			p.publishAll(t, name(i), []string{fmt.Sprint(first), fmt.Sprint(first + 1)})
		}
	}
	open = p.openAll(t, streams, func(i int) ask {
		return ask{topics: []string{clients[i].topic}, after: clients[i].id, readBuffer: 512}
	})
	for i := range topics {
		p.publish(t, name(i), "end")
	}
	for i, st := range open {
		for k := clients[i].has; ; k++ {
			m, err := st.next()
			if err != nil {
				t.Fatalf("stream %d of %s: %v", i, clients[i].topic, err)
			}
			if m.Data == "end" {
				break
			}
			if m.Event != "message" || m.Data != fmt.Sprint(k) {
				t.Fatalf("stream %d of %s, at %s: found %s %q, expected event %d", i,
					clients[i].topic, clients[i].id, m.Event, m.Data, k)
			}
			clients[i].has = k + 1
		}
		want := 3 * (1 - i%2)
		if i%topics%4 < 2 {
			want += 2
		}
		if clients[i].has != want {
			t.Fatalf("stream %d of %s has %d events, expected %d", i, clients[i].topic,
				clients[i].has, want)
		}
		st.reset()
	}
	if gaps := total(p.metrics(t), "ssedge_gaps_total"); gaps != 0 {
		t.Errorf("%v gaps were told", gaps)
	}
}

// openAll opens so many streams, some at a time, and waits for their openings.
func (s *server) openAll(t *testing.T, streams int, of func(i int) ask) []*stream {
	t.Helper()
	all, wrong := make([]*stream, streams), make(chan error, streams)
	var next atomic.Int64
	var running sync.WaitGroup
	for range 32 {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < streams; i = int(next.Add(1)) - 1 {
				st, err := s.dial(of(i))
				if err == nil {
					all[i], err = st, st.opening()
				}
				if err != nil {
					wrong <- fmt.Errorf("stream %d: %w", i, err)
					return
				}
			}
		})
	}
	running.Wait()
	t.Cleanup(func() {
		for _, st := range all {
			if st != nil {
				st.reset()
			}
		}
	})
	select {
	case err := <-wrong:
		t.Fatal(err)
	default:
	}
	return all
}

// comesBack has a client come back to topic t, which is to get that: data, or a gap.
func (s *server) comesBack(t *testing.T, id string, want ...string) {
	t.Helper()
	st := s.opened(t, after("t", id))
	for i, data := range want {
		m, err := st.next()
		if err != nil {
			t.Fatal(err)
		}
		if data == "gap" && (m.Event != "gap" || !strings.Contains(m.Data, `"cause":"missed"`) ||
			!strings.Contains(m.Data, `"from":"`)) || data != "gap" && m.Data != data {
			t.Errorf("event %d behind %s: found %s %q, expected %s", i, id, m.Event, m.Data, data)
		}
	}
}

// TestHistoryAfterAKill: what was published since the last file is told as one gap, and what came
// since the start is delivered. A file that a process has served with is not complete any more.
func TestHistoryAfterAKill(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, "--state-dir="+dir, "--state-interval=1s")
	a, b := p.publish(t, "t", "a"), p.publish(t, "t", "b")
	file := filepath.Join(dir, "history")
	var seen []time.Time // a file that was begun before may come first
	await(t, "two files to be written", func() (bool, string) {
		if info, err := os.Stat(file); err == nil && !slices.Contains(seen, info.ModTime()) {
			seen = append(seen, info.ModTime())
		}
		return len(seen) >= 2, fmt.Sprint(seen)
	})
	lost := p.publish(t, "t", "lost")
	kill(p)

	p = startProcess(t, "--state-dir="+dir)
	if said := p.stderr.String(); !strings.Contains(said, "is told as a gap") {
		t.Errorf("the start after a kill says %s", said)
	}
	d := p.publish(t, "t", "d")
	p.comesBack(t, a, "b", "gap", "d")
	p.comesBack(t, b, "gap", "d")
	p.comesBack(t, lost, "gap", "d")
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != 0 {
		t.Fatalf("exit code %d: %s", code, p.stderr.String())
	}

	p = startProcess(t, "--state-dir="+dir)
	e := p.publish(t, "t", "e")
	p.comesBack(t, d, "e")
	p.comesBack(t, a, "b", "gap", "d", "e")
	kill(p)

	p = startProcess(t, "--state-dir="+dir)
	p.publish(t, "t", "f")
	p.comesBack(t, d, "gap", "f")
	p.comesBack(t, e, "gap", "f")
	p.comesBack(t, a, "b", "gap", "d", "gap", "f")
}

func kill(p *process) {
	p.cmd.Process.Kill()
	<-p.ended
}
