import type { ReactElement } from 'react';
import { Heading } from '../../parts/heading.tsx';
import { McpServers } from './mcp-servers.tsx';
import { ToolList } from './tool-list.tsx';

export default function ToolsScreen(): ReactElement {
  return (
    <>
      <Heading title="Tools" />
      <ToolList />
      <h2>MCP servers</h2>
      <McpServers />
    </>
  );
}
