package engine

import (
	"fmt"
	"net"
	"strings"

	"ssedge/engine/intake"
	"ssedge/engine/setting"
)

// checkInherited checks the name of sockets that are passed to the process
// (systemd.socket(5), FileDescriptorName=). Whether they are there is seen when they are
// taken: none are passed to a process that only checks the settings.
func checkInherited(flag, name string, fail setting.Fail) {
	switch {
	case flag == "--admin":
		// A health check must be refused when there is no server, and not wait in systemd's queue.
		fail("%s %s%s: expected host:port; only --listen takes sockets of systemd", flag,
			intake.InheritedPrefix, name)
	case name == "" || len(name) > 255 ||
		strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f }):
		fail("%s %s%s: expected the FileDescriptorName= of a socket unit, at most 255 ASCII characters without blanks and colons",
			flag, intake.InheritedPrefix, name)
	}
}

// checkDevAddresses keeps a development server on this machine, even if another process has
// opened its sockets.
func (c *Config) checkDevAddresses(addrs []net.Addr) error {
	for _, a := range addrs {
		if tcp, ok := a.(*net.TCPAddr); c.Dev && ok && !tcp.IP.IsLoopback() {
			return fmt.Errorf("--listen: a socket listens on %s: --dev lets every client publish and is for loopback only",
				a)
		}
	}
	return nil
}
