// The .NET libraries of the Assistants API against the app: run by ../run.ts, with the addresses of the local stack.
using Threadkeep.Interop;

var app = new App(Addresses.Parse(args[0]));
var checks = new Checks();
AssistantChecks.AddTo(checks, app);
ThreadChecks.AddTo(checks, app);
MessageChecks.AddTo(checks, app);
PagingChecks.AddTo(checks, app);
RunChecks.AddTo(checks, app);
ToolChecks.AddTo(checks, app);
CodeChecks.AddTo(checks, app);
SearchChecks.AddTo(checks, app);
StreamChecks.AddTo(checks, app);
StreamEndChecks.AddTo(checks, app);
RefusalChecks.AddTo(checks, app);
BlockingChecks.AddTo(checks, app);
var library = Clients.Library;
Console.WriteLine($"\n{library.Name} {library.Version?.ToString(2)} against the app");
return await checks.RunAsync(args[1]) ? 0 : 1;
