package intake

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ssedge/engine/deadline"
	"ssedge/proto/http1"
	"ssedge/shard"
	"ssedge/shard/topic"
)

// An intake whose heads cannot be polled says so, and does not wait for them.
func TestHeadsThatCannotBePolled(t *testing.T) {
	group, err := shard.NewGroup(
		shard.Config{Delivery: shard.Delivery{WriteStall: time.Second, Retry: time.Second,
			InboxMax: 1}, Turns: shard.Turns{Shards: 1, TurnSends: 1, TurnTime: time.Second}},
		topic.Config{TopicsMax: 1})
	if err != nil {
		t.Fatal(err)
	}
	group.Start()
	defer group.Stop()
	log := slog.New(slog.DiscardHandler)
	a := NewAdmission(AdmissionConfig{Logger: log})
	a.Attach(group)
	clock := deadline.NewClock()
	defer clock.Close()
	in, err := Open(Config{
		Listen: []string{"unix:" + filepath.Join(t.TempDir(), "s")},
		ConnectionLimits: ConnectionLimits{
			Limits: http1.DefaultLimits, HeadTimeout: time.Second, HeadsMax: 1,
			HTTPConnectionsMax: 1, Workers: 1, Pollers: 1,
		},
		Logger: log, Clock: clock,
	}, a)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	file, err := os.CreateTemp(t.TempDir(), "") // epoll takes no regular file
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := unix.Dup3(int(file.Fd()), in.heads.Fd(), unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- in.Serve() }()
	select {
	case err := <-served:
		if err == nil {
			t.Error("nothing is said of heads that cannot be polled")
		}
	case <-time.After(time.Minute):
		t.Fatal("the intake waits for heads that cannot be polled")
	}
}
