import { EventSource } from 'eventsource3'
import { listen, bearer } from './standard.mjs'

export default ({ url, key, names }, say) => {
  const withKey = (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...bearer(key) } })
  listen(new EventSource(url, { fetch: withKey }), names, say)
}
