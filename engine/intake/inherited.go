package intake

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ssedge/shard/sys"
)

// InheritedPrefix begins an address that is a name of [Config].Inherited.
const InheritedPrefix = "systemd:"

// adopt listens on the sockets of a name that were passed to the process, one acceptor
// for each. Closing gives up our part of them only: connections go on to queue where the other
// holder keeps them, and a unix socket's path is its own to take away. proxies says
// that connections begin with a PROXY protocol header.
func (in *Intake) adopt(name string, proxies bool) error {
	files := in.config.Inherited[name]
	if len(files) == 0 {
		return fmt.Errorf("expected a socket of that name (FileDescriptorName=) from systemd, %s",
			in.inheritedNames())
	}
	if in.adopted[name] {
		return fmt.Errorf("its sockets are listened on already")
	}
	if in.adopted == nil {
		in.adopted = map[string]bool{}
	}
	in.adopted[name] = true
	for i, f := range files {
		fd, addr, err := sys.Adopt(f, in.config.Socket)
		if err != nil {
			return fmt.Errorf("socket %d of %d: %w", i+1, len(files), err)
		}
		if i > 0 { // several sockets of one address are one to Addrs
			if last := in.acceptors[len(in.acceptors)-1].addr; last.Network() == addr.Network() &&
				last.String() == addr.String() {
				addr = last
			}
		}
		a := newAcceptor(in, fd, addr, proxies)
		a.socket = nil
		in.acceptors = append(in.acceptors, a)
	}
	return nil
}

// inheritedNames says which sockets there are.
func (in *Intake) inheritedNames() string {
	if len(in.config.Inherited) == 0 {
		return "but none was passed to this process: is the socket unit active?"
	}
	return "but passed were " + strings.Join(slices.Sorted(maps.Keys(in.config.Inherited)), ", ")
}
