package observe

import (
	"fmt"
	"net/netip"
	"os"

	"github.com/prometheus/procfs"
)

const stateListen = 0x0A

// Listeners finds the processes of this machine that accept connections to an address: all that
// hold a socket that listens there, or on that port of every address, as nginx's workers do. It
// finds those that this user may look into.
func Listeners(at netip.AddrPort) (Server, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, err
	}
	sockets := make(map[string]bool)
	for _, read := range []func() (procfs.NetTCP, error){proc.NetTCP, proc.NetTCP6} {
		all, _ := read() // there may be no IPv6
		for _, s := range all {
			bound, _ := netip.AddrFromSlice(s.LocalAddr)
			if s.St == stateListen && s.LocalPort == uint64(at.Port()) && accepts(bound, at.Addr()) {
				sockets[fmt.Sprintf("socket:[%d]", s.Inode)] = true
			}
		}
	}
	if len(sockets) == 0 {
		return nil, fmt.Errorf("nothing listens on %v here", at)
	}
	processes, err := proc.AllProcs()
	if err != nil {
		return nil, err
	}
	var found Server
	for _, p := range processes {
		if holds(fmt.Sprintf("/proc/%d/fd", p.PID), sockets) {
			found = append(found, p.PID)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf(
			"the process that listens on %v is another user's: its CPU and memory cannot be read", at)
	}
	return found, nil
}

// accepts reports whether a socket bound to an address gets the connections to another. One that
// is bound to all of IPv6 usually gets those of IPv4 too.
func accepts(bound, to netip.Addr) bool {
	bound, to = bound.Unmap(), to.Unmap()
	return bound == to || bound.IsUnspecified() && (bound.Is6() || to.Is4())
}

// holds reports whether a directory of descriptors has one of the sockets. Listening sockets are
// opened early: a server with a million streams is not searched to its end, as procfs would do.
func holds(dir string, sockets map[string]bool) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	for seen := 0; seen < 20_000; {
		names, err := f.Readdirnames(1000)
		seen += len(names)
		for _, name := range names {
			if to, err := os.Readlink(dir + "/" + name); err == nil && sockets[to] {
				return true
			}
		}
		if err != nil {
			return false
		}
	}
	return false
}
