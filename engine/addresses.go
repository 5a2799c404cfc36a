package engine

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"ssedge/engine/intake"
	"ssedge/engine/setting"
)

// checkAddress refuses addresses that no socket can listen on, or no client can reach. It also
// keeps a development server, which has no access control, on this machine.
func (c *Config) checkAddress(flag, given string, fail setting.Fail) {
	address := given
	if flag == "--listen" {
		address, _ = intake.ListensForProxies(given)
	}
	if name, ok := strings.CutPrefix(address, intake.InheritedPrefix); ok {
		checkInherited(flag, name, fail)
		return
	}
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		checkSocketPath(flag, given, path, fail)
		return
	}
	if strings.ContainsFunc(address, unicode.IsSpace) { // as behind the comma of a list
		fail("%s %q: expected an address without blanks", flag, given)
		return
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		fail("%s %s: expected host:port, [v6]:port or unix:/path", flag, given)
		return
	}
	if _, err := net.LookupPort("tcp", port); err != nil || !checkPort(port) {
		fail("%s %s: expected a port of 0 to 65535", flag, given)
	}
	switch ip, err := netip.ParseAddr(host); {
	case err != nil && host != "" && !isHostName(host):
		fail("%s %s: expected a host's name or address in front of the port, or nothing for all addresses",
			flag, given)
	case err == nil && isForMany(ip):
		fail("%s %s: expected an address of one host: no client can connect to %s", flag, given, ip)
	case c.Dev && !isLocalhost(host) && (err != nil || !ip.IsLoopback()):
		fail("%s %s: --dev lets every client publish and is for loopback only: expected 127.0.0.1, [::1] or localhost",
			flag, given)
	}
}

// checkSocketPath looks at the file system, too: whether a socket can be made there cannot be seen
// from the path.
func checkSocketPath(flag, given, path string, fail setting.Fail) {
	if flag == "--admin" || path == "" || path[0] == '@' || strings.TrimSpace(path) != path ||
		len(path) > 107 {
		// sun_path, unix(7); @ would be an abstract address
		fail("%s %s: expected host:port%s", flag, given,
			map[bool]string{true: " or unix:/path of at most 107 bytes"}[flag != "--admin"])
		return
	}
	directory := filepath.Dir(path)
	switch info, err := os.Stat(directory); {
	case errors.Is(err, fs.ErrNotExist): // systemd makes it at the start (RuntimeDirectory=)
		return
	case errors.Is(err, syscall.ENOTDIR):
		fail("%s %s: expected a path in a directory: a part of %s is none", flag, given, directory)
		return
	case err == nil && !info.IsDir():
		fail("%s %s: expected a path in a directory: %s is none", flag, given, directory)
		return
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket == 0 ||
		strings.HasSuffix(path, "/") {
		fail("%s %s: expected the path of a socket, or of nothing yet: there is something else",
			flag, given)
	}
}

// isHostName reports whether a host can be looked up: it is made of labels of ASCII, and the last
// one is not a number, since 127.1 is an address to some programs and a name to others.
func isHostName(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return !('a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
		}) {
			return false
		}
	}
	last := strings.ToLower(labels[len(labels)-1])
	hex, isHex := strings.CutPrefix(last, "0x")
	numeric := strings.Trim(last, "0123456789") == "" || isHex &&
		strings.Trim(hex, "0123456789abcdef") == ""
	return !numeric && len(host) <= 254
}

func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// isForMany reports whether an address is of a group of hosts, or of all: no TCP connection has it
// at either end.
func isForMany(ip netip.Addr) bool {
	return ip.Unmap().IsMulticast() || ip.Unmap() == netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// checkPort reports whether a port that is a number is written as one: 08080 would be taken for
// 8080.
func checkPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err != nil || strconv.FormatUint(n, 10) == port
}

// checkTwice refuses addresses of which one takes in the other: of two sockets at one address each
// would get a part of the clients, and of two servers one could not start.
func (c *Config) checkTwice(fail setting.Fail) {
	var before []place
	for _, address := range append([]string{c.Admin}, c.Listen...) {
		now, ok := placeOf(address)
		if !ok {
			continue
		}
		for _, p := range before {
			if !p.overlaps(now) {
				continue
			}
			but := ""
			if p.given != address {
				but = ", which overlap"
			}
			fail("--listen, --admin: expected each address once, found %s and %s%s", p.given,
				address, but)
			break
		}
		before = append(before, now)
	}
}

// place is where an address listens, however it is written.
type place struct {
	given string
	// of a socket in the file system, of systemd's sockets, or of a host whose address is not known
	name string
	port int        // 0: it is no host's
	ip   netip.Addr // invalid if there is a name
	all  bool       // it is every address, of IPv4 and of IPv6
}

// placeOf reports false for addresses that are refused elsewhere, and for those at which the kernel
// picks a port. 0.0.0.0 is all of IPv4 (sys.Network); every other wildcard is all of IPv4 and IPv6,
// as package net has it. That listens at a name's first address of IPv4, which is 127.0.0.1 for
// localhost; other names are not looked up.
func placeOf(given string) (p place, ok bool) {
	address, _ := intake.ListensForProxies(given)
	p.given = given
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		p.name = "unix:" + realPath(path)
		return p, path != ""
	}
	if strings.HasPrefix(address, intake.InheritedPrefix) {
		p.name = address
		return p, true
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return p, false
	}
	if p.port, err = net.LookupPort("tcp", port); err != nil || p.port == 0 {
		return p, false
	}
	p.name = strings.ToLower(strings.TrimSuffix(host, "."))
	if isLocalhost(host) {
		p.name, p.ip = "", netip.AddrFrom4([4]byte{127, 0, 0, 1})
	} else if ip, err := netip.ParseAddr(host); err == nil {
		p.name, p.ip = "", ip.Unmap()
		p.all = p.ip.IsUnspecified() && !ip.Is4()
	}
	p.all = p.all || host == ""
	return p, true
}

// realPath is a path without links and detours, as far as its directory exists.
func realPath(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	directory, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(directory); err == nil {
		directory = real
	}
	return filepath.Join(directory, name)
}

func (p place) overlaps(q place) bool {
	if p.port != q.port {
		return false
	}
	if p.port != 0 && (p.all || q.all) {
		return true
	}
	wide := func(p, q place) bool { return p.ip.IsUnspecified() && q.ip.Is4() } // all of IPv4
	return p.name == q.name && p.ip == q.ip || wide(p, q) || wide(q, p)
}
