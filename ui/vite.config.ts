import { defineConfig, type Plugin } from "vitest/config";

/** Fails the build when the made-up views for development would be shipped. */
const noFixtures: Plugin = {
  name: "no-fixtures",
  apply: "build",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk" && file.moduleIds.some((id) => id.includes("/src/fixtures"))) {
        this.error(`${file.fileName} contains fixtures`);
      }
    }
  },
};

export default defineConfig({
  plugins: [noFixtures],
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  build: {
    target: "safari16",
    // The polyfill fetches, which the content security policy does not need to allow.
    modulePreload: { polyfill: false },
    // Small assets must not become data: addresses either.
    assetsInlineLimit: 0,
  },
  test: { environment: "happy-dom" },
});
