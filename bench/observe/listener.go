package observe

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

const stateListen = "0A"

// Listeners finds the processes of this machine that accept connections to an address: all that
// hold a socket that listens there, or on that port of every address, as nginx's workers do. It
// finds those that this user may look into.
func Listeners(at netip.AddrPort) (Server, error) {
	inodes := make(map[string]bool)
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(file)
		if err != nil {
			continue // no IPv6
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			words := strings.Fields(lines.Text())
			if len(words) > 9 && words[3] == stateListen && accepts(words[1], at) {
				inodes["socket:["+words[9]+"]"] = true
			}
		}
		f.Close()
	}
	if len(inodes) == 0 {
		return nil, fmt.Errorf("nothing listens on %v here", at)
	}
	var found Server
	processes, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		if holds(fmt.Sprintf("/proc/%d/fd", p.PID), inodes) {
			found = append(found, p.PID)
		}
	}
	if len(found) == 0 {
		return nil,
			fmt.Errorf("the process that listens on %v is another user's: its CPU and memory cannot be read",
				at)
	}
	return found, nil
}

// accepts reports whether a socket bound to local, as /proc/net/tcp writes it (words of 32 bits in
// the machine's order), gets connections to an address. One that is bound to all of IPv6 usually
// gets those of IPv4 too.
func accepts(local string, at netip.AddrPort) bool {
	text, port, _ := strings.Cut(local, ":")
	raw, err := hex.DecodeString(text)
	if n, portErr := strconv.ParseUint(port, 16, 16); err != nil || portErr != nil ||
		uint16(n) != at.Port() || len(raw)%4 != 0 {
		return false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	bound, ok := netip.AddrFromSlice(raw)
	if bound = bound.Unmap(); !ok || bound == at.Addr().Unmap() {
		return ok
	}
	return bound.IsUnspecified() && (bound.Is6() || at.Addr().Unmap().Is4())
}

// holds reports whether a directory of descriptors has one of the sockets. Listening sockets are
// opened early: a server with a million streams is not searched to its end.
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
