// Starts Swagger UI on `/docs`, in the color scheme of the system.
const dark = matchMedia('(prefers-color-scheme: dark)')
const applyColorScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', applyColorScheme)
applyColorScheme()

globalThis.SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#api',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  defaultModelRendering: 'example',
  displayRequestDuration: true,
  validatorUrl: null,
  responseInterceptor: (response) => {
    if (new URL(response.url).pathname !== '/openapi.json') return response
    const spec = prepare(JSON.parse(response.text))
    return { ...response, text: JSON.stringify(spec), body: spec, obj: spec }
  },
})

/**
 * Replaces the public URL by the host of the page, for requests from it, and reduces error responses to their reasons:
 * rendering each body would make the page several times slower.
 */
function prepare({ paths, ...rest }) {
  for (const { responses } of Object.values(paths).flatMap(Object.values))
    for (const status of Object.keys(responses))
      if (status >= '400') responses[status] = { description: responses[status].description }
  return { ...rest, paths, servers: [{ url: location.origin }] }
}
