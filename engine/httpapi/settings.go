package httpapi

import "time"

// BodyLimits bound the bodies of requests that publish.
type BodyLimits struct {
	BodyBytes    int64         `type:"size" default:"8MiB" range:"1..512MiB" metric:"body_bytes_max" help:"Bytes of a JSON body."`
	PublishBytes int64         `type:"size" default:"128MiB" range:"1.." metric:"publish_memory_bytes_max" help:"Bytes that all requests that publish may hold together: bodies, their events and receipts. Requests beyond that are answered 503."`
	BodyTimeout  time.Duration `default:"30s" range:"1ms..500h" metric:"body_silence_seconds_max" help:"Silence in a body after which it is given up."`
}
