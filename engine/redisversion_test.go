package engine_test

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"ssedge/engine"
)

// claiming is an address at which a server says that it is of another version, of as many letters.
func claiming(t *testing.T, r *redisServer, version string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	_, after, _ := strings.Cut(r.cli("INFO", "server"), "redis_version:")
	is := strings.Fields(after)[0]
	if len(is) != len(version) {
		t.Fatalf("the server is of version %s, which %s cannot replace", is, version)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", r.address())
			if err != nil {
				c.Close()
				continue
			}
			go func() {
				defer up.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					up.Write(buf[:n])
				}
			}()
			go func() {
				defer c.Close()
				buf := make([]byte, 64<<10)
				for {
					n, err := up.Read(buf)
					if err != nil {
						return
					}
					c.Write(bytes.ReplaceAll(buf[:n], []byte("redis_version:"+is),
						[]byte("redis_version:"+version)))
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// A server that is too old is refused at start, with both versions.
func TestServersThatAreTooOld(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	for version, fits := range map[string]bool{"5.0.15": false, "6.0.16": false, "6.2.14": true} {
		c := engine.DefaultConfig()
		c.Dev, c.Listen, c.Admin, c.Redis.URL, c.Redis.Timeout = true, []string{"127.0.0.1:0"}, "",
			"redis://"+claiming(t, r, version), time.Second
		e, err := engine.New(c)
		if err == nil {
			e.Close()
		}
		if (err == nil) != fits || !fits &&
			!strings.Contains(err.Error(), "they are version "+version+", expected 6.2 or later") {
			t.Errorf("%s: %v", version, err)
		}
	}
}
