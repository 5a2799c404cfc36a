package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// manager is the service manager that has started this process, as far as it wants to
// be told (sd_notify(3)). If it does not, every method does nothing. Nothing that goes wrong
// with telling it ends the server. Its methods may be called from any goroutine.
type manager struct {
	log      *slog.Logger
	watchdog time.Duration // it is to hear of us at least so often; 0: it need not

	mu       sync.Mutex
	socket   *net.UnixAddr // nil: no manager wants to be told
	ready    bool          // it was told
	stopping bool          // it was told; there is nothing to say any more
	failed   bool          // that telling it fails was logged
}

// sendPatience is how long a manager that does not read is waited for.
const sendPatience = time.Second

// newManager takes over what the environment says, which children do not inherit.
func newManager(log *slog.Logger) *manager {
	m := &manager{log: log}
	if path := os.Getenv("NOTIFY_SOCKET"); path != "" { // @ in front: an abstract one (unix(7))
		m.socket = &net.UnixAddr{Name: path, Net: "unixgram"}
	}
	os.Unsetenv("NOTIFY_SOCKET")
	every, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		log.Warn("the watchdog is not told anything", "error", err)
	}
	m.watchdog = every
	return m
}

// notify sends one message. mu must be held.
func (m *manager) notify(lines ...string) {
	if m.socket == nil {
		return
	}
	err := m.send(strings.Join(lines, "\n"))
	if err != nil && !m.failed {
		m.log.Warn("the service manager cannot be notified", "socket", m.socket.Name, "error", err)
	}
	m.failed = err != nil
}

func (m *manager) send(message string) error {
	c, err := net.DialUnix(m.socket.Net, nil, m.socket)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetWriteDeadline(time.Now().Add(sendPatience))
	_, err = c.Write([]byte(message))
	return err
}

// status is one line for systemctl status.
func status(format string, args ...any) string {
	return "STATUS=" + strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
}

// node is what a manager asks of an engine.
type node interface {
	Ready() error
	Streams() int
	Pulse(timeout time.Duration) bool
}

// startup is how often a node that is not ready yet is looked at, and says that it needs more time.
const startup = time.Second

// follow says that the node is ready as soon as /readyz says so, and then, if there is a
// watchdog, that all shards turn, for as long as they do. It does not return before the
// process ends, unless there is nothing to tell any more.
func (m *manager) follow(n node) {
	if m.socket == nil {
		return
	}
	for !m.notifyReady(n) {
		time.Sleep(startup)
	}
	if m.watchdog <= 0 {
		return
	}
	stuck := false
	for range time.Tick(m.watchdog / 2) {
		turns := n.Pulse(m.watchdog / 2)
		if turns {
			m.serving(daemon.SdNotifyWatchdog)
		} else if !stuck {
			m.log.Error("a shard makes no turns: the watchdog is not notified", "watchdog",
				m.watchdog)
		}
		stuck = !turns
	}
}

// notifyReady says that the node is ready, or that and why it takes longer. It reports
// whether that was the last word.
func (m *manager) notifyReady(n node) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopping {
		return true
	}
	if err := n.Ready(); err != nil {
		m.notify(fmt.Sprint("EXTEND_TIMEOUT_USEC=", (5*startup).Microseconds()),
			status("not ready: %v", err))
		return false
	}
	m.ready = true
	m.notify(daemon.SdNotifyReady, status("serving"))
	return true
}

// reload says that settings are read again, calls do, and says how that went: do returns
// a line about it. One reload at a time.
func (m *manager) reload(do func() string) {
	m.serving(daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
	said := do() // it may read from a disk that hangs, so it runs without the lock
	m.serving(daemon.SdNotifyReady, status("%s", said))
}

// serving tells something between the first READY and STOPPING.
func (m *manager) serving(lines ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ready && !m.stopping {
		m.notify(lines...)
	}
}

// stop says that the node drains.
func (m *manager) stop(n node) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopping = true
	m.notify(daemon.SdNotifyStopping, status("draining %d streams", n.Streams()))
}
