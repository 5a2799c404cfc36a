package limit

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// beatsPerInterval is how many batches the heartbeats of an interval are sent in.
	beatsPerInterval = 128
	heartbeatMin     = 10 * time.Millisecond
)

var heartbeat = []byte(":\n\n")

// beats is for whom the next batch of heartbeats is. The batches go through the descriptors and not through the topics'
// lists: a descriptor keeps its place as long as the stream lives, so that none is left out and none is sent to twice
// when others come and go.
type beats struct {
	sent int // batches of this interval
	next int // descriptor after those of the last batch
}

// beatTimer is a timerfd that goes off when a batch is due.
func beatTimer(interval time.Duration) (fd int, err error) {
	fd, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("timerfd_create: %w", err)
	}
	every := unix.NsecToTimespec(int64(interval / beatsPerInterval))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: every, Value: every}, nil); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("timerfd_settime: %w", err)
	}
	return fd, nil
}

// beat sends a batch.
func (t *thread) beat() {
	b := &t.beats
	b.sent++
	for end := len(t.seats) * b.sent / beatsPerInterval; b.next < end; b.next++ {
		if t.seats[b.next].place <= 0 {
			continue
		}
		fd := int32(b.next)
		if n, errno := send(fd, heartbeat); n != len(heartbeat) {
			t.drop(fd, errno)
		}
	}
	if b.sent == beatsPerInterval {
		b.sent, b.next = 0, 0
	}
}
