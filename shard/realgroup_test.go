package shard

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/proto/sse"
	"ssedge/shard/log"
	"ssedge/shard/topic"
)

// realGroup is shards on the real kernel, with everything that ended.
type realGroup struct {
	*Group
	t     *testing.T
	ended sync.Map // owner → CloseReason
	ends  atomic.Int64
	stop  sync.Once
}

func startGroup(t *testing.T, shards int) *realGroup {
	t.Helper()
	g := &realGroup{t: t}
	c := patient()
	c.Shards, c.Heartbeat, c.TurnSends, c.TurnTime, c.InboxMax = shards, 30*time.Millisecond, 50,
		time.Millisecond, 1000
	c.OnClose = func(owner uint32, reason CloseReason) {
		if _, again := g.ended.LoadOrStore(owner, reason); again {
			t.Errorf("stream %d ended twice", owner)
		}
		g.ends.Add(1)
	}
	var err error
	if g.Group, err = NewGroup(c, topic.Config{Retention: log.Retention{Events: 100_000},
		HistoryMax: 1 << 30, TopicsMax: 1000}); err != nil {
		t.Fatal(err)
	}
	g.Start()
	t.Cleanup(g.halt)
	return g
}

func (g *realGroup) halt() { g.stop.Do(g.Stop) }

// connect joins one end of a socket pair to the topics and returns the other.
func (g *realGroup) connect(owner uint32, topics ...string) (*os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK,
		0)
	if err != nil {
		return nil, err
	}
	j := Join{Fd: fds[0], Head: []byte("head\n\n"), Owner: owner}
	for _, name := range topics {
		topic, err := g.Table().Acquire([]byte(name))
		if err != nil {
			return nil, err
		}
		j.More = append(j.More, topic)
	}
	if len(topics) == 1 {
		j.Topic, j.More = j.More[0], nil
	}
	client := os.NewFile(uintptr(fds[1]), "client")
	if _, err := g.Join(j, nil); err != nil {
		for _, topic := range append(j.More, j.Topic) {
			if topic != nil {
				g.Table().Release(topic)
			}
		}
		unix.Close(fds[0])
		client.Close()
		return nil, err
	}
	g.Wake()
	return client, nil
}

// opened reads a stream up to its first id.
func opened(t *testing.T, client io.Reader, d *sse.Decoder) {
	buf := make([]byte, 4096)
	for d.LastEventID() == "" {
		n, err := client.Read(buf)
		if err != nil {
			t.Errorf("before the first id: %v", err)
			return
		}
		d.Feed(buf[:n], func(m sse.Message) {
			if m.Event != "ssedge" {
				t.Errorf("%+v before anything was published", m)
			}
		})
	}
}

// readAll reads a stream to its end and returns the data of its events.
func readAll(t *testing.T, client io.ReadCloser, d *sse.Decoder) (data []string) {
	defer client.Close()
	buf := make([]byte, 4096)
	for {
		n, err := client.Read(buf)
		d.Feed(buf[:n], func(m sse.Message) {
			if m.Event != "ssedge" {
				data = append(data, m.Data)
			}
		})
		if err == io.EOF {
			return data
		}
		if err != nil {
			t.Errorf("the stream ended with %v", err)
			return data
		}
	}
}

// descriptors counts those of this process.
func descriptors(t *testing.T) int {
	t.Helper()
	r, w, err := os.Pipe() // the runtime opens its own with the first that it polls
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
