// Package auth decides which clients may subscribe to and publish to which topics.
//
// [Authorizer] is the interface that admission and publishing ask. What is behind it now are static
// keys and public topics ([Static]); tokens will fill it later. An authorizer must answer from
// memory: whatever has to be fetched is fetched beside the request, not in it.
package auth
