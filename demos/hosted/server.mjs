// Serves this folder, for hosts that start a Node program. A static host needs only the other files.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));
const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".jsonl": "application/x-ndjson", ".png": "image/png", ".jpg": "image/jpeg" };

createServer(async (request, response) => {
  try {
    let path = normalize(join(folder, decodeURIComponent(new URL(request.url, "http://here").pathname)));
    if (!path.startsWith(folder) && path + sep !== folder) throw new Error("outside");
    if ((await stat(path)).isDirectory()) path = join(path, "index.html");
    await stat(path);
    response.writeHead(200, { "Content-Type": `${kinds[extname(path)] || "application/octet-stream"}; charset=utf-8` });
    createReadStream(path).pipe(response);
  } catch {
    response.writeHead(404).end("not found\n");
  }
}).listen(process.env.PORT || 3000, () => console.log(`http://localhost:${process.env.PORT || 3000}`));
