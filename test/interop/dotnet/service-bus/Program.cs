// The .NET client of Service Bus, which the real Functions host uses, against the local broker.
//   dotnet run CONNECTION_STRING CONTROL_URL [FILTER]   runs the checks; exit code 1 if one fails
//   dotnet run CONNECTION_STRING hold QUEUE             takes messages and keeps them, until it is killed
using Threadkeep.Interop;

if (args is [var connection, "hold", var queue])
{
    await Killing.HoldAsync(connection, queue);
    return 0;
}

var bus = new Bus(args[0], new Uri(args[1]));
var filter = args.Length > 2 ? args[2] : "";
var checks = new Checks();
Sending.AddTo(checks, bus);
Settling.AddTo(checks, bus);
Receiving.AddTo(checks, bus);
Processing.AddTo(checks, bus);
Trouble.AddTo(checks, bus);
Killing.AddTo(checks, bus);
return await checks.RunAsync(filter) ? 0 : 1;
