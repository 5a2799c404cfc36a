package engine_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ssedge/engine"
)

// keeping is a node that keeps its history in a directory, and what it says.
func keeping(t testing.TB, dir string, changes ...func(*engine.Config)) (*node, *said) {
	t.Helper()
	log := &said{}
	return startNode(t, func(c *engine.Config) {
		c.StateDir, c.DrainRate = dir, 1e6
		c.Logger = slog.New(slog.NewTextHandler(log, nil))
		for _, change := range changes {
			change(c)
		}
	}), log
}

// drain ends a node as SIGTERM does.
func (n *node) drain() {
	n.engine.Drain()
	n.engine.Close()
}

// TestARestartIsExact: after a drain and a start, streams of one topic and of several resume
// exactly, also on topics that have had no event, and a key that was used is still known.
func TestARestartIsExact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	n, log := keeping(t, dir)
	if !strings.Contains(log.String(), "there is no history") {
		t.Errorf("the first start says %s", log)
	}
	first := n.publish(t, "news", "1")
	one := n.opened(t, after("news", first))
	quiet := n.opened(t, topic("quiet"))
	several := n.opened(t, ask{topics: []string{"news", "never", "quiet"}})
	n.publish(t, "news", "2")
	one.gets(t, "2")
	several.gets(t, "2")
	_, used := send(t, n, "POST", "/publish?topic=keys&key=k", "x")
	gone := several.decoder.LastEventID()
	several.reset()
	third := n.publish(t, "news", "3")
	n.drain()
	if !strings.Contains(log.String(), "history was written") {
		t.Errorf("the end says %s", log)
	}

	n, log = keeping(t, dir)
	if !strings.Contains(log.String(), "history was read, and is complete") {
		t.Errorf("the second start says %s", log)
	}
	if id := n.publish(t, "news", "4"); len(id) < len(third) || id <= third {
		t.Errorf("an event gets %s after %s", id, third)
	}
	n.publish(t, "quiet", "loud")
	n.opened(t, after("news", first)).gets(t, "2", "3", "4")
	n.opened(t, after("news", one.decoder.LastEventID())).gets(t, "3", "4")
	n.opened(t, after("quiet", quiet.decoder.LastEventID())).gets(t, "loud")
	n.opened(t, ask{topics: []string{"news", "never", "quiet"}, after: gone}).
		gets(t, "3", "4", "loud")
	if _, again := send(t, n, "POST", "/publish?topic=keys&key=k", "x"); !strings.Contains(again,
		"duplicate") || !strings.Contains(again, strings.Split(used, `"`)[3]) {
		t.Errorf("a key that was used is answered %s, before the restart %s", again, used)
	}
	if gaps := total(n.metrics(t), "ssedge_gaps_total"); gaps != 0 {
		t.Errorf("%v gaps were told", gaps)
	}
}

// TestWhatWasAcknowledgedIsInTheFile: publishers that go on until they are refused find all of it
// after the restart, each event once.
func TestWhatWasAcknowledgedIsInTheFile(t *testing.T) {
	dir := t.TempDir()
	n, _ := keeping(t, dir, func(c *engine.Config) { c.HistoryEvents = 1_000_000 })
	acknowledged := make([][]string, 4)
	var publishing sync.WaitGroup
	for i := range acknowledged {
		publishing.Go(func() {
			for k := 0; ; k++ {
				id, err := n.post("t", fmt.Sprintf("%d from %d", k, i))
				if err != nil {
					return
				}
				acknowledged[i] = append(acknowledged[i], id)
			}
		})
	}
	n.await(t, "ssedge_topics", 1)
	time.Sleep(100 * time.Millisecond)
	n.drain()
	publishing.Wait()
	n, _ = keeping(t, dir)
	n.publish(t, "t", "last")
	st := n.opened(t, after("t", "earliest"))
	var got []string
	for {
		m, err := st.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.Data == "last" {
			break
		}
		got = append(got, m.LastEventID)
	}
	if err := holdsAll(got, acknowledged); err != nil {
		t.Error(err)
	}
}

// TestAFileThatCannotBeWrittenStays: the one before is kept, the log says why, and it is counted.
func TestAFileThatCannotBeWrittenStays(t *testing.T) {
	dir := t.TempDir()
	n, _ := keeping(t, dir)
	first := n.publish(t, "t", "1")
	n.drain()
	n, log := keeping(t, dir)
	if err := os.Mkdir(filepath.Join(dir, "history.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	n.publish(t, "t", "2")
	n.engine.Drain()
	if !strings.Contains(log.String(), "history was not written: the file before stays") ||
		!strings.Contains(log.String(), "is a directory") {
		t.Errorf("the log says %s", log)
	}
	n.await(t, "ssedge_state_failures_total", 1)
	n.engine.Close()
	os.Remove(filepath.Join(dir, "history.new"))
	n, _ = keeping(t, dir)
	n.publish(t, "t", "3")
	n.comesBack(t, first, "gap", "3")
}

// TestADrainThatIsLateWritesNothing: a file that is not ready in time does not take the place of
// the one before.
func TestADrainThatIsLateWritesNothing(t *testing.T) {
	dir := t.TempDir()
	n, log := keeping(t, dir, func(c *engine.Config) { c.DrainTimeout = time.Millisecond })
	n.publish(t, "t", "1")
	n.drain()
	if !strings.Contains(log.String(), "the drain timeout was over") {
		t.Errorf("the log says %s", log)
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("the directory has %v, %v: expected the lock alone", all, err)
	}
}

// TestADamagedFileIsPutAside: the node starts without history, and says so.
func TestADamagedFileIsPutAside(t *testing.T) {
	dir := t.TempDir()
	n, _ := keeping(t, dir)
	first := n.publish(t, "t", "1")
	n.drain()
	file := filepath.Join(dir, "history")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	os.WriteFile(file, text, 0o600)
	n, log := keeping(t, dir)
	if !strings.Contains(log.String(), "put aside") || !strings.Contains(log.String(), "checksum") {
		t.Errorf("the log says %s", log)
	}
	st := n.opened(t, after("t", first))
	if m, err := st.next(); err != nil || m.Event != "gap" {
		t.Errorf("found %+v, %v: expected a gap", m, err)
	}
}

// TestWhatIsSaidOfTheFile: its size, age and duration are metrics, and only if there can be one.
func TestWhatIsSaidOfTheFile(t *testing.T) {
	dir := t.TempDir()
	n, _ := keeping(t, dir, func(c *engine.Config) { c.StateInterval = time.Second })
	n.publish(t, "t", "x")
	await(t, "a file", func() (bool, string) {
		m := n.metrics(t)
		return m["ssedge_state_bytes"] > 0 && m["ssedge_state_age_seconds"] < 60 &&
				m["ssedge_state_write_seconds"] > 0 && m["ssedge_state_failures_total"] == 0,
			fmt.Sprint(m["ssedge_state_bytes"], m["ssedge_state_age_seconds"])
	})
	n.engine.Drain()
	time.Sleep(1100 * time.Millisecond) // no later pass takes the place of the last file
	n.engine.Close()
	if _, log := keeping(t, dir); !strings.Contains(log.String(), "is complete") {
		t.Errorf("after a drain the start says %s", log)
	}
	if m := startNode(t, nil).metrics(t); total(m, "ssedge_state_bytes") != 0 {
		t.Error("a node that keeps nothing has a size of it")
	}
}

// BenchmarkHistoryOverARestart writes and reads as much history as there may be by default, in
// events of 1 KiB on 2,000 topics.
func BenchmarkHistoryOverARestart(b *testing.B) {
	body := []byte("data: " + strings.Repeat("x", 1000) + "\n")
	for b.Loop() {
		dir := b.TempDir()
		n, _ := keeping(b, dir)
		for i := 0; n.engine.Table().HistoryBytes() < 255<<20; i++ {
			if _, err := n.engine.Table().Publish(fmt.Append(nil, "topic ", i%2000),
				body); err != nil {
				b.Fatal(err)
			}
		}
		held := n.engine.Table().HistoryBytes()
		n.engine.Drain()
		m := n.metrics(b)
		n.engine.Close()
		began := time.Now()
		again, log := keeping(b, dir)
		b.ReportMetric(time.Since(began).Seconds(), "start-s")
		b.ReportMetric(m["ssedge_state_write_seconds"], "write-s")
		b.ReportMetric(m["ssedge_state_bytes"], "file-bytes")
		b.ReportMetric(float64(held), "history-bytes")
		if again.engine.Table().HistoryBytes() < held/2 {
			b.Fatal(log)
		}
		again.engine.Close()
	}
}

// TestWhereHistoryCanBeKept: not where it is kept already, and not without time to write it.
func TestWhereHistoryCanBeKept(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*engine.Config)
		says   string // "": in order
	}{
		"at Redis": {func(c *engine.Config) {
			c.StateDir, c.Redis.URL, c.Redis.Required = "/x", "redis://127.0.0.1:1", false
		}, "--state-dir /x with --redis: expected one of them"},
		"no time": {func(c *engine.Config) { c.StateDir, c.DrainTimeout = "/x", 0 },
			"--state-dir /x with --drain-timeout 0s: expected time"},
		"too often": {func(c *engine.Config) {
			c.StateDir, c.StateInterval = "/x", time.Second-1
		}, "--state-interval 999.999999ms: expected 0, or 1s to 500h"},
		"each second": {func(c *engine.Config) { c.StateDir, c.StateInterval = "/x", time.Second },
			""},
	} {
		config := keyed()
		c.change(&config)
		said := complaints(config.Check())
		if c.says == "" && len(said) > 0 || c.says != "" && (len(said) != 1 ||
			!strings.Contains(said[0], c.says)) {
			t.Errorf("%s: found %q, expected %q", name, said, c.says)
		}
	}
	c := keyed()
	c.StateInterval = time.Minute
	if idle := c.WithoutEffect(); !slices.Contains(idle, "--state-interval (without --state-dir)") {
		t.Errorf("an interval without a directory is not among %q", idle)
	}
}
