import EventSource from 'eventsource2'
import { listen, bearer } from './standard.mjs'

export default ({ url, key, names }, say) => listen(new EventSource(url, { headers: bearer(key) }), names, say)
