import { createPassOn, readSettings } from './server/pass-on.mjs';

/** While the page is developed, Vite serves it and passes its requests on, as `server/serve.mjs` does later. */
export default {
  plugins: [
    {
      name: 'turnpike',
      configureServer({ middlewares }) {
        const passOn = createPassOn(readSettings(process.env));
        middlewares.use((request, response, next) => {
          if (request.url?.startsWith('/api/')) void passOn(request, response);
          else next();
        });
      },
    },
  ],
};
