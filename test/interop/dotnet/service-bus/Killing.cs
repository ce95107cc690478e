using System.Diagnostics;
using Azure.Messaging.ServiceBus;

namespace Threadkeep.Interop;

/// <summary>A receiver that dies with messages in its hands.</summary>
public static class Killing
{
    private const int Messages = 20;

    public static void AddTo(Checks checks, Bus bus) =>
        checks.Add("kill: what a killed process held comes again when its locks end, counted", () => KillAsync(bus));

    private static async Task KillAsync(Bus bus)
    {
        await using var client = bus.Connect();
        await client.CreateSender("kill").SendMessagesAsync(Enumerable.Range(0, Messages).Select(Sending.Numbered));
        var path = Environment.ProcessPath ?? throw new InvalidOperationException("This process has no file.");
        using var holder = Process.Start(path, [bus.Connection, "hold", "kill"]);
        await Checks.UntilAsync(async () => await bus.CountAsync("kill", "locked") == Messages);
        holder.Kill();
        await holder.WaitForExitAsync();
        var receiver = client.CreateReceiver("kill");
        var received = new List<(int Number, int Count)>();
        while (received.Count < Messages)
        {
            var messages = await receiver.ReceiveMessagesAsync(Messages, TimeSpan.FromSeconds(10));
            Checks.That(messages.Count > 0, $"only {received.Count} came again");
            foreach (var message in messages)
            {
                received.Add((int.Parse(message.Body.ToString()), message.DeliveryCount));
                await receiver.CompleteMessageAsync(message);
            }
        }
        Checks.Same(Enumerable.Range(0, Messages), received.Select(each => each.Number).Order(), "messages");
        Checks.Same([2], received.Select(each => each.Count).Distinct(), "delivery counts");
        Checks.Equal(Messages, await bus.TotalAsync("kill", "expiredLocks"), "locks that ended");
    }

    public static async Task HoldAsync(string connection, string queue)
    {
        await using var client = new ServiceBusClient(connection);
        var receiver = client.CreateReceiver(queue);
        while (true) await receiver.ReceiveMessagesAsync(Messages);
    }
}
