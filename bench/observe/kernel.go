package observe

import (
	"errors"
	"os"
	"slices"

	"github.com/prometheus/procfs"
)

// Kernel is memory of the kernel that sockets take, of both ends of a connection where both are
// on this machine.
type Kernel struct {
	Sockets int64 // TCP sockets in use (/proc/net/sockstat)
	Buffers int64 // bytes queued in them, in whole pages (sockstat's mem)
	// bytes of the caches below; without slabinfo, all that is unreclaimable
	Objects int64
	Caches  map[string]int64 // of that, by name
}

// caches are what a connection takes of: socket, file, inode, directory entry, epoll registration,
// and headers of packets on their way.
var caches = map[string]bool{
	"TCP": true, "TCPv6": true, "sock_inode_cache": true, "filp": true, "dentry": true,
	"eventpoll_epi": true, "eventpoll_pwq": true, "tcp_bind_bucket": true, "tcp_bind2_bucket": true,
	"request_sock_TCP": true, "skbuff_head_cache": true, "skbuff_fclone_cache": true,
	"skbuff_small_head": true, "lsm_file_cache": true, "lsm_inode_cache": true, "ep_head": true,
}

// ReadKernel reads what is in use now. Other programs of the machine are in it too: look at
// differences.
func ReadKernel() (Kernel, error) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Kernel{}, err
	}
	return readKernel(proc)
}

func readKernel(proc procfs.FS) (Kernel, error) {
	k := Kernel{Caches: make(map[string]int64)}
	sockets, err := proc.NetSockstat()
	if err != nil {
		return k, err
	}
	tcp := slices.IndexFunc(sockets.Protocols, func(p procfs.NetSockstatProtocol) bool {
		return p.Protocol == "TCP" && p.Mem != nil
	})
	if tcp < 0 {
		return k, errors.New("expected a line TCP: with mem in sockstat, found none")
	}
	k.Sockets = int64(sockets.Protocols[tcp].InUse)
	k.Buffers = int64(*sockets.Protocols[tcp].Mem) * int64(os.Getpagesize())
	slabs, err := proc.SlabInfo() // only root may read it
	for _, slab := range slabs.Slabs {
		if caches[slab.Name] {
			k.Caches[slab.Name] = slab.ObjActive * slab.ObjSize
			k.Objects += slab.ObjActive * slab.ObjSize
		}
	}
	if err == nil {
		return k, nil
	}
	memory, err := proc.Meminfo()
	if err != nil {
		return k, err
	}
	if memory.SUnreclaimBytes == nil {
		return k, errors.New("expected a line SUnreclaim in meminfo, found none")
	}
	k.Objects, k.Caches = int64(*memory.SUnreclaimBytes), nil
	return k, nil
}
