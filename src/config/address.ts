import type { Reading, ValueType } from "./reading.ts";

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const HOST_NAME = /^(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*$/i;
const MAX_HOST_LENGTH = 253; // of a name in the DNS

/** A host name or an IPv4 address. */
export const HOST: ValueType<string> = { name: "host name or IPv4 address", read: readHost };

function readHost(text: string): Reading<string> {
  if (/^[\d.]+$/.test(text)) return IPV4.test(text) ? { value: text } : { fault: "is not an IPv4 address" };
  if (text.length <= MAX_HOST_LENGTH && HOST_NAME.test(text)) return { value: text };
  return { fault: hostFault(text) };
}

function hostFault(text: string): string {
  if (text.includes("://")) return "is a URL: write the host name alone, and the port as queueport";
  if (text.includes(",")) return "names several hosts: a queue lives on one memcached";
  if (/^[^:]+:\d+$/.test(text)) return "holds a port: write it as queueport";
  if (text.includes(":")) return "looks like IPv6: memcached is reached by host name or IPv4 address";
  if (text.startsWith("/")) return "is a path: memcached is reached by host name or IPv4 address";
  return "is not a host name or IPv4 address";
}

/** The address that a run tells how it went: http or https. */
export const HTTP_URL: ValueType<string> = {
  name: "http(s) URL",
  read: (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === "http:" || url?.protocol === "https:") return { value: text };
    return { fault: "is not an http or https URL" };
  },
};
