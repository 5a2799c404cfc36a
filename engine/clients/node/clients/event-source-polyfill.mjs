import 'event-source-polyfill'
import { listen, bearer } from './standard.mjs'

export default ({ url, key, names }, say) => {
  const { EventSourcePolyfill } = globalThis
  listen(new EventSourcePolyfill(url, { headers: bearer(key) }), names, say)
}
