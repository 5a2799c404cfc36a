package observe

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Kernel is memory of the kernel that sockets take, of both ends of a connection where both are on this machine.
type Kernel struct {
	Sockets int64            // TCP sockets in use (/proc/net/sockstat)
	Buffers int64            // bytes queued in them, in whole pages (sockstat's mem)
	Objects int64            // bytes of the caches below; where /proc/slabinfo may not be read, of all that cannot be reclaimed
	Caches  map[string]int64 // of that, by name
}

// caches are what a connection takes of: socket, file, inode, directory entry, epoll registration, and headers of
// packets on their way.
var caches = map[string]bool{
	"TCP": true, "TCPv6": true, "sock_inode_cache": true, "filp": true, "dentry": true, "eventpoll_epi": true, "eventpoll_pwq": true,
	"tcp_bind_bucket": true, "tcp_bind2_bucket": true, "request_sock_TCP": true, "skbuff_head_cache": true, "skbuff_fclone_cache": true,
	"skbuff_small_head": true, "lsm_file_cache": true, "lsm_inode_cache": true, "ep_head": true,
}

// ReadKernel reads what is in use now. Other programs of the machine are in it too: look at differences.
func ReadKernel() (Kernel, error) {
	k := Kernel{Caches: make(map[string]int64)}
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return k, err
	}
	if err := k.parseSockstat(text); err != nil {
		return k, err
	}
	if text, err = os.ReadFile("/proc/meminfo"); err != nil {
		return k, err
	}
	if k.Objects, err = field(text, "SUnreclaim"); err != nil {
		return k, err
	}
	if text, err := os.ReadFile("/proc/slabinfo"); err == nil { // root's
		k.parseSlabs(text)
	}
	return k, nil
}

func (k *Kernel) parseSockstat(text []byte) error {
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] != "TCP:" {
			continue
		}
		for i := 1; i+1 < len(words); i += 2 {
			n, err := strconv.ParseInt(words[i+1], 10, 64)
			if err != nil {
				return fmt.Errorf("expected numbers in sockstat, found %q", lines.Text())
			}
			switch words[i] {
			case "inuse":
				k.Sockets = n
			case "mem":
				k.Buffers = n * int64(os.Getpagesize())
			}
		}
		return nil
	}
	return fmt.Errorf("expected a line TCP: in sockstat, found %q", text)
}

// parseSlabs takes active objects and their size: columns 2 and 4 of slabinfo(5).
func (k *Kernel) parseSlabs(text []byte) {
	k.Objects = 0
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 4 || !caches[words[0]] {
			continue
		}
		active, err1 := strconv.ParseInt(words[1], 10, 64)
		size, err2 := strconv.ParseInt(words[3], 10, 64)
		if err1 == nil && err2 == nil {
			k.Caches[words[0]] = active * size
			k.Objects += active * size
		}
	}
}
